"""Header names: matched without case, compact forms known, written as the specifications spell them.

Spec: RFC 3261, 7.3.1 and 7.3.3; the IANA registry of SIP header fields for compact forms.
"""

from imslab.errors import Malformed
from imslab.sip.syntax import is_token

_LONG_FORMS = """
Accept Accept-Contact Accept-Encoding Accept-Language Alert-Info Allow Allow-Events Authentication-Info
Authorization Call-ID Call-Info Contact Content-Disposition Content-Encoding Content-Language Content-Length
Content-Type CSeq Date Error-Info Event Expires Feature-Caps Flow-Timer From Geolocation History-Info
Identity In-Reply-To Join Max-Forwards MIME-Version Min-Expires Min-SE Organization Path
P-Access-Network-Info P-Asserted-Identity P-Asserted-Service P-Associated-URI P-Called-Party-ID
P-Charging-Function-Addresses P-Charging-Vector P-Early-Media P-Preferred-Identity P-Preferred-Service
P-Visited-Network-ID Priority Privacy Proxy-Authenticate Proxy-Authorization Proxy-Require RAck Reason
Record-Route Refer-To Referred-By Reject-Contact Replaces Reply-To Request-Disposition Require Retry-After
Route RSeq Security-Client Security-Server Security-Verify Server Service-Route Session-Expires SIP-ETag
SIP-If-Match Subject Subscription-State Supported Target-Dialog Timestamp To Unsupported User-Agent Via
Warning WWW-Authenticate
"""

COMPACT = {
    "a": "accept-contact",
    "b": "referred-by",
    "c": "content-type",
    "d": "request-disposition",
    "e": "content-encoding",
    "f": "from",
    "i": "call-id",
    "j": "reject-contact",
    "k": "supported",
    "l": "content-length",
    "m": "contact",
    "n": "identity-info",
    "o": "event",
    "r": "refer-to",
    "s": "subject",
    "t": "to",
    "u": "allow-events",
    "v": "via",
    "x": "session-expires",
    "y": "identity",
}

# Every spelling that is usual, so that a row costs one look-up.
KEYS = {
    form: COMPACT.get(name.lower(), name.lower())
    for name in [*_LONG_FORMS.split(), *COMPACT]
    for form in (name, name.lower(), name.upper())
}

# Headers with one value for a whole message; a second row is a fault: RFC 3261, 7.3.1 and table 2.
_ONCE = """call-id content-disposition content-length content-type cseq date event expires from max-forwards
    mime-version min-expires p-charging-vector subject subscription-state timestamp to user-agent"""
SINGLE = frozenset(_ONCE.split())


def key(name: str) -> str:
    """Return the long form of ``name`` in lower case, or raise Malformed when it is no token."""
    known = KEYS.get(name)
    if known is not None:
        return known
    stripped = name.rstrip(" \t")
    if not is_token(stripped):
        raise Malformed("bad header name", expected="a token and a colon")
    lowered = stripped.lower()
    return COMPACT.get(lowered, lowered)


# RFC 3261, section 21; 202 RFC 6665; 412 RFC 3903; 421, 494 RFC 3261 and 3329; 422 RFC 4028; 489 RFC 6665;
# 424 RFC 6442; 428, 436 to 438 RFC 8224; 429 RFC 3892; 430, 439 RFC 5626; 433 RFC 5079; 440 RFC 5393;
# 580 RFC 3312.
REASONS = {
    100: "Trying",
    180: "Ringing",
    181: "Call Is Being Forwarded",
    182: "Queued",
    183: "Session Progress",
    199: "Early Dialog Terminated",
    200: "OK",
    202: "Accepted",
    204: "No Notification",
    300: "Multiple Choices",
    301: "Moved Permanently",
    302: "Moved Temporarily",
    305: "Use Proxy",
    380: "Alternative Service",
    400: "Bad Request",
    401: "Unauthorized",
    402: "Payment Required",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    407: "Proxy Authentication Required",
    408: "Request Timeout",
    410: "Gone",
    412: "Conditional Request Failed",
    413: "Request Entity Too Large",
    414: "Request-URI Too Long",
    415: "Unsupported Media Type",
    416: "Unsupported URI Scheme",
    417: "Unknown Resource-Priority",
    420: "Bad Extension",
    421: "Extension Required",
    422: "Session Interval Too Small",
    423: "Interval Too Brief",
    424: "Bad Location Information",
    428: "Use Identity Header",
    429: "Provide Referrer Identity",
    430: "Flow Failed",
    433: "Anonymity Disallowed",
    436: "Bad Identity Info",
    437: "Unsupported Credential",
    438: "Invalid Identity Header",
    439: "First Hop Lacks Outbound Support",
    440: "Max-Breadth Exceeded",
    480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist",
    482: "Loop Detected",
    483: "Too Many Hops",
    484: "Address Incomplete",
    485: "Ambiguous",
    486: "Busy Here",
    487: "Request Terminated",
    488: "Not Acceptable Here",
    489: "Bad Event",
    491: "Request Pending",
    493: "Undecipherable",
    494: "Security Agreement Required",
    500: "Server Internal Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Server Time-out",
    505: "Version Not Supported",
    513: "Message Too Large",
    580: "Precondition Failure",
    600: "Busy Everywhere",
    603: "Decline",
    604: "Does Not Exist Anywhere",
    606: "Not Acceptable",
}
