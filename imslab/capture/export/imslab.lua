-- What Wireshark does not show of IMS AKA: the parts of a nonce, and AUTHENTICATE on the card.
--
-- Spec: RFC 3310, section 3.2 (nonce = base64(RAND | AUTN | server data)) and 3.4 (auts); 3GPP TS 33.102, 6.3; TS 31.102,
-- 7.1.2 (AUTHENTICATE and its answers), which Wireshark 4.0 shows as the RUN GSM ALGORITHM of 2G. Use:
--     tshark -X lua_script:imslab.lua -r capture.pcapng -O imslab
-- or put it into the folder of personal Lua plugins (Help, About Wireshark, Folders). A filter: imslab.rand == 23:55:...

local imslab = Proto("imslab", "IMS AKA (imslab)")

local fields = {
    rand = ProtoField.bytes("imslab.rand", "RAND", base.NONE, "The challenge"),
    autn = ProtoField.bytes("imslab.autn", "AUTN", base.NONE, "What proves the network"),
    sqn_xor_ak = ProtoField.bytes("imslab.sqn_xor_ak", "SQN xor AK", base.NONE, "The sequence number, hidden"),
    amf = ProtoField.bytes("imslab.amf", "AMF", base.NONE, "Authentication management field"),
    mac_a = ProtoField.bytes("imslab.mac_a", "MAC-A", base.NONE, "The network's proof"),
    server_data = ProtoField.bytes("imslab.server_data", "Server data", base.NONE),
    auts = ProtoField.bytes("imslab.auts", "AUTS", base.NONE, "The card asks to resynchronise"),
    sqn_ms_xor_ak = ProtoField.bytes("imslab.sqn_ms_xor_ak", "SQN_MS xor AK*", base.NONE),
    mac_s = ProtoField.bytes("imslab.mac_s", "MAC-S", base.NONE, "The card's proof"),
    res = ProtoField.bytes("imslab.res", "RES", base.NONE),
    ck = ProtoField.bytes("imslab.ck", "CK", base.NONE),
    ik = ProtoField.bytes("imslab.ik", "IK", base.NONE),
    kc = ProtoField.bytes("imslab.kc", "Kc", base.NONE),
    meaning = ProtoField.string("imslab.meaning", "Meaning"),
}
imslab.fields = fields

local nonces, resyncs = Field.new("sip.auth.nonce"), Field.new("sip.auth.auts")
local udp_port, udp_payload = Field.new("udp.port"), Field.new("udp.payload")

local GSMTAP_PORT, SIM, APDU = 4729, 4, 0
local AUTHENTICATE, GET_RESPONSE, SUCCESS, SYNC_FAILURE, MAC_FAILURE = 0x88, 0xC0, 0xDB, 0xDC, 0x9862

-- Return the octets of a quoted base64 text as a ByteArray; nil for what is none.
local function decoded(text)
    text = text:gsub('^"', ""):gsub('"$', "")
    if #text == 0 or #text % 4 ~= 0 or not text:match("^[A-Za-z0-9+/]+=?=?$") then
        return nil
    end
    return ByteArray.new(text, true):base64_decode()
end

local function add_challenge(tree, tvb, rand_at, autn_at)
    tree:add(fields.rand, tvb(rand_at, 16))
    local autn = tree:add(fields.autn, tvb(autn_at, 16))
    autn:add(fields.sqn_xor_ak, tvb(autn_at, 6))
    autn:add(fields.amf, tvb(autn_at + 6, 2))
    autn:add(fields.mac_a, tvb(autn_at + 8, 8))
end

local function add_auts(tree, tvb, at)
    local auts = tree:add(fields.auts, tvb(at, 14))
    auts:add(fields.sqn_ms_xor_ak, tvb(at, 6))
    auts:add(fields.mac_s, tvb(at + 6, 8))
end

local function add_sip(tree)
    for _, found in ipairs({ nonces() }) do
        local octets = decoded(tostring(found.value))
        if octets and octets:len() >= 32 then
            local tvb = octets:tvb("AKA nonce")
            local sub = tree:add(imslab, tvb(), "AKA nonce")
            add_challenge(sub, tvb, 0, 16)
            if octets:len() > 32 then
                sub:add(fields.server_data, tvb(32))
            end
        end
    end
    for _, found in ipairs({ resyncs() }) do
        local octets = decoded(tostring(found.value))
        if octets and octets:len() == 14 then
            local tvb = octets:tvb("AUTS")
            add_auts(tree:add(imslab, tvb(), "Resynchronisation"), tvb, 0)
        end
    end
end

-- Return name, place and length of each value of a successful answer, which begins at a place.
local function values(tvb, at, last)
    local found = {}
    for _, name in ipairs({ "res", "ck", "ik", "kc" }) do
        local length = at < last and tvb(at, 1):uint() or nil
        if not length or at + 1 + length > last then
            break
        end
        table.insert(found, { name, at + 1, length })
        at = at + 1 + length
    end
    return found, at
end

-- Add the card's answer, which lies between a place and the status word.
local function add_answer(tree, tvb, at, last)
    local tag = at < last and tvb(at, 1):uint() or 0
    if tag == SYNC_FAILURE and last - at == 16 and tvb(at + 1, 1):uint() == 14 then
        local sub = tree:add(imslab, tvb(at, 16), "AUTHENTICATE: synchronisation failure")
        add_auts(sub, tvb, at + 2)
        sub:add(fields.meaning, "the network's SQN is not fresh for this card"):set_generated()
    elseif tag == SUCCESS then
        local found, to = values(tvb, at + 1, last)
        if #found >= 3 then
            local sub = tree:add(imslab, tvb(at, to - at), "AUTHENTICATE: success")
            for _, one in ipairs(found) do
                sub:add(fields[one[1]], tvb(one[2], one[3]))
            end
        end
    end
end

local function add_command(tree, tvb, at, last)
    if at + 34 > last or tvb(at, 1):uint() ~= 16 or tvb(at + 17, 1):uint() ~= 16 then
        return -- 2G: RAND alone, as Wireshark shows it
    end
    local sub = tree:add(imslab, tvb(at, 34), "AUTHENTICATE")
    add_challenge(sub, tvb, at + 1, at + 18)
    if tvb(last, 2):uint() == MAC_FAILURE then
        sub:add(fields.meaning, "MAC failure: the network did not prove that it knows K"):set_generated()
    end
    add_answer(tree, tvb, at + 34, last)
end

local function add_apdu(tree, tvb)
    if tvb:len() < 16 or tvb(0, 1):uint() ~= 2 or tvb(2, 1):uint() ~= SIM or tvb(12, 1):uint() ~= APDU then
        return
    end
    local at, last = tvb(1, 1):uint() * 4, tvb:len() - 2 -- the header counts words; the status word comes last
    if at < 16 or at + 5 > last then
        return
    end
    local ins = tvb(at + 1, 1):uint()
    if ins == AUTHENTICATE then
        add_command(tree, tvb, at + 5, last)
    elseif ins == GET_RESPONSE then
        add_answer(tree, tvb, at + 5, last)
    end
end

function imslab.dissector(tvb, pinfo, tree)
    add_sip(tree)
    local payload = udp_payload()
    for _, port in ipairs({ udp_port() }) do
        if port.value == GSMTAP_PORT and payload then
            add_apdu(tree, payload.value:tvb("GSMTAP"))
            break
        end
    end
end

register_postdissector(imslab)
