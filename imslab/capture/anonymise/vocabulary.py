"""The words that a protocol says, and that nobody is called by: they stay where the grammar has its words.

Sources: RFC 3261 and the IANA registries "SIP Parameters" (methods, header fields, option tags, parameters,
event packages) and "SDP Parameters"; RFC 7616 (Digest); 3GPP TS 24.229 (P- headers, access types, feature
tags), TS 33.203 and RFC 3329 (security agreement), TS 23.003 (names of networks); RFC 9110 (HTTP). In a user
part, a display name or a text none of them counts: there everything is replaced.
"""

from imslab.sip.names import REASONS

_METHODS = """
ACK BYE CANCEL INFO INVITE MESSAGE NOTIFY OPTIONS PRACK PUBLISH REFER REGISTER SUBSCRIBE UPDATE
"""
METHODS = frozenset(_METHODS.split())

_SIP = """
sip sips tel udp tcp tls sctp ws wss dtls invite ack bye cancel info message notify options prack publish
refer register subscribe update ping accept ranges contact language encoding length type alert
authentication authorization call id content disposition cseq date error event expires feature caps flow
timer from geolocation routing history identity in reply to join max forwards mime version min se
organization path priority privacy proxy authenticate require rack reason record route referred by reject
replaces request retry after rseq security client server verify service session etag if match subject
subscription state supported target dialog timestamp unsupported user agent via warning www p x access
network asserted associated uri called party charging function addresses vector early media preferred
visited answer mode served allow allowed events sub tag branch received rport ttl maddr lr ob comp sigcomp q
instance reg outbound gruu pub temp grid method transport phone purpose handling required optional render
icon card action text index cause protocol np mp rc 100rel precondition sec agree norefersub eventlist
histinfo resource multiple nosub tdialog recipient list uui ice trickle siprec aggregated pref 199 none
header critical digest akav1 akav2 md5 sha 256 512 sess auth int realm nonce opaque stale true false qop nc
cnonce response algorithm username auts nextnonce rspauth integrity protected yes no ck ik domain ipsec 3gpp
ike man prot mod trans tun enc alg ealg hmac 96 1 des ede3 cbc null aes gcm gmac spi c s port active pending
terminated deactivated probation rejected timeout giveup noresource invariant duration presence winfo mwi
conference package xcap diff ua profile consent additions spirits kpml vq rtcpxr simple summary as
certificate credential keep alive hello registration full partial application sdp xml json sipfrag pidf
reginfo watcherinfo im iscomposing cpim vnd sms ussd mmtel multipart mixed alternative related signed
encrypted plain html pkcs7 isup qsig dtmf relay octet stream boundary charset utf 8 iso 8859 us ascii binary
base64 gzip deflate en de fr es it pt gb emergency urgent normal non uas uac refresher sendonly recvonly
sendrecv inactive gated urn 7 ims icsi iari ref gsma rcs imei imeisv uuid params ietf mcptt ccat oma schema
sos fire police ambulance e g 3gpp2 accesstype accessclass srvcc mid alerting atcf mgmt smsip msg cpm
filetransfer ft httpuri audio video data control isfocus automata class business personal duplex half
mobility fixed mobile actor principal attendant description extensions methods schemes eutran utran geran nr
wlan ieee 802 11 11a 11b 11g 11n 11ac fdd tdd cell untrusted trusted virgin gan cdma2000 1x hrpd xdsl adsl
docsis dvb rcs2 lte nb iot sat u local time zone provided infos daylight saving utc gmt icid value generated
at orig ioi term ccf ecf utranid tac mon tue wed thu fri sun jan feb mar apr may jun jul aug sep oct nov dec
850 remote pre fingerprint rtp avp avpf savp savpf clearing released
"""
_HTTP = """
http https get post put head delete connect patch trace host connection upgrade websocket close keep alive
cache control no store max age private public must revalidate content encoding type length range accept
ranges etag last modified location transfer chunked user agent origin sec key protocol extensions permessage
deflate client context takeover window bits server cookie set referer pragma vary identity 3gpp
bootstrapping ub ua application bootstrappinginfo xml json javascript css html plain charset utf 8 gba me u
digest www authenticate expires date
"""
_WORDS_OF_REASONS = " ".join(REASONS.values()).lower().replace("/", " ").replace("-", " ")

WORDS = frozenset((_SIP + _HTTP + _WORDS_OF_REASONS).split())

# Labels of a domain name that say what it is for, and not whose it is.
_LABELS = """
3gppnetwork gprs ims epc 5gc pub gan ganet bsf naf xcap aes rcs epdg ss sos node nodes tac lac rac mme sgw
pgw smf amf pcscf scscf icscf ecscf hss udm pcrf pcf as sip sips _sip _sips _udp _tcp _sctp _tls _ws udp tcp
com org net int edu gov mil arpa e164 ip6 in addr info biz local localdomain localhost lan home corp
internal invalid test example uk us de fr es it ch at nl be se no fi dk pl pt cz ru ua jp cn tw kr br ar mx
ca au nz za eu io tv me
"""
LABELS = frozenset(_LABELS.split())
# ... and those of them that may end a domain name.
_NEVER_LAST = """
3gppnetwork gprs ims epc 5gc pub gan ganet bsf naf xcap aes rcs epdg ss sos node nodes tac lac rac mme sgw
pgw smf amf pcscf scscf icscf ecscf hss udm pcrf pcf as sip sips _sip _sips _udp _tcp _sctp _tls _ws udp tcp
e164 ip6 addr
"""
TOP_LEVEL = LABELS - set(_NEVER_LAST.split())
# A label in front of one of these belongs to somebody; in front of these two it does not.
SHARED_SECOND = frozenset(("3gppnetwork.org", "e164.arpa", "in-addr.arpa", "ip6.arpa", "anonymous.invalid"))

_SDP = """
in ip4 ip6 audio video text application message image udp tcp tls dtls rtp avp avpf savp savpf sctp webrtc
datachannel msrp udptl t38 tcptls as ct rs rr tias x rtpmap fmtp crypto candidate ice ufrag pwd options lite
pacing mismatch trickle renomination ice2 end of candidates fingerprint setup active passive actpass
holdconn connection new existing mid group bundle ls fid fec msid semantic wms ssrc cname mslabel label rtcp
mux rsize fb nack pli sli rpsi ccm fir tmmbr tstr vbcm goog remb transport cc sendrecv sendonly recvonly
inactive ptime maxptime framerate quality orient lang sdplang tool type charset content curr des conf qos
local remote e2e mandatory optional none failure unknown send recv accept types wrapped path max size file
selector extmap allow mixed encrypt rid simulcast bandwidth sctpmap port key mgmt mikey inline aes cm 128
192 256 f8 hmac sha1 80 32 aead gcm unencrypted srtp srtcp unauthenticated kdr order wsh sha 1 224 384 512
md5 md2 host srflx prflx relay typ raddr rport generation network id cost tcptype so ssltcp pcmu pcma g722
g723 g729 g729a g729d g729e g726 16 24 40 g728 gsm efr hr lpc dvi4 l8 l16 ilbc speex amr wb evs opus isac
silk telephone event tone red rtx ulpfec flexfec 03 parityfec cn h261 h263 1998 2000 h264 svc h265 vp8 vp9
av1 mpv mp4v es mpeg4 generic mp4a latm jpeg clearmode t140 iac annexb mode set change period neighbor
capability crc octet align interleaving channels robust sorting cap stereo sprop useinbandfec usedtx
maxplaybackrate maxaveragebitrate minptime cbr profile level packetization asymmetry allowed parameter sets
br bw dtx hf only ch aw cmr switch apt fr fs mbps smbps cpb dpb qcif cif custom p annex t38faxversion
t38maxbitrate t38faxfillbitremoval t38faxtranscodingmmr t38faxtranscodingjbig t38faxratemanagement
t38faxmaxbuffer t38faxmaxdatagram t38faxudpec t38udpredundancy t38udpfec t38vendorinfo transferredtcf
localtcf urn ietf params hdrext toffset sdes stream repaired http www org experiments abs time color space
playout delay timing holmer draft wide extensions 01 frame descriptor 00 rotation csrc 3gpp orientation
coordination confirm nat msi vnd polycom forceaud phone version direction
"""
SDP_WORDS = frozenset(_SDP.split())

# What an XML body says of a state: as the whole of a text or of an attribute.
_XML = """
active terminated init full partial open closed trying proceeding early confirmed registered created
refreshed shortened expired deactivated probation unregistered rejected true false yes no initiator
recipient cancelled replaced local-bye remote-bye error timeout pending waiting approved noresource giveup
subscribed on-phone connected disconnected on-hold alerting dialing-in dialing-out muted-via-focus dialed-in
dialed-out sendrecv sendonly recvonly inactive audio video text urn:ietf:params:xml:ns:reginfo utf-8
iso-8859-1 us-ascii
"""
XML_WORDS = frozenset(_XML.split())

# The labels of a key log (the NSS format): what they stand before is replaced elsewhere.
_KEY_LOG = """
rsa client random early handshake server traffic secret 0 exporter master
"""
KEY_LOG_WORDS = frozenset(_KEY_LOG.split())
