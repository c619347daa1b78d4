//! Refusals of CONNACK.

use super::refusal::prelude::*;

refusals! {
    V5 Server "v5:MQTT-3.2.2-1" MALFORMED "bit 1 of the acknowledge flags"
        bad "20 03 02 00 00"
        good "20 03 00 00 00";
    V5 Server "v5:MQTT-3.2.2-1" MALFORMED "bit 7 of the acknowledge flags"
        bad "20 03 81 00 00"
        good "20 03 01 00 00";
    V5 Server "v5:MQTT-3.2.2-8" EITHER "reason code 0x01"
        bad "20 03 00 01 00"
        good "20 03 00 80 00";
    V5 Server "v5:MQTT-3.2.2-8" EITHER "reason code 0x04"
        bad "20 03 00 04 00"
        good "20 03 00 80 00";
    V5 Server "v5:MQTT-3.2.2-8" EITHER "reason code 0x10"
        bad "20 03 00 10 00"
        good "20 03 00 80 00";
    V5 Server "v5:MQTT-3.2.2-8" EITHER "reason code 0x8B"
        bad "20 03 00 8B 00"
        good "20 03 00 80 00";
    V5 Server "v5:MQTT-3.2.2-8" EITHER "reason code 0x8E"
        bad "20 03 00 8E 00"
        good "20 03 00 80 00";
    V5 Server "v5:MQTT-3.2.2-8" EITHER "reason code 0xA0"
        bad "20 03 00 A0 00"
        good "20 03 00 80 00";
    V5 Server "v5:MQTT-3.2.2-8" EITHER "reason code 0xFF"
        bad "20 03 00 FF 00"
        good "20 03 00 80 00";
    V5 Server "v5:MQTT-3.2.2-6" PROTOCOL_ERROR "Session Present and reason code 0x87"
        bad "20 03 01 87 00"
        good "20 03 00 87 00";
    V3_1_1 Server "v311:MQTT-3.2.2-4" EITHER "Session Present and return code 5"
        bad "20 02 01 05"
        good "20 02 00 05";
    V5 Server "v5:MQTT-2.2.2-1" MALFORMED "CONNACK without Property Length"
        bad "20 02 00 00"
        good "20 03 00 00 00";
    V5 Server "u5:U5-3.2.2-a" PROTOCOL_ERROR "Session Expiry Interval twice"
        bad "20 0D 00 00 0A 11 00000001 11 00000001"
        good "20 08 00 00 05 11 00000001";
    V5 Server "u5:U5-3.2.2-a" PROTOCOL_ERROR "Receive Maximum twice"
        bad "20 09 00 00 06 21 0001 21 0001"
        good "20 06 00 00 03 21 0001";
    V5 Server "u5:U5-3.2.2-a" PROTOCOL_ERROR "Maximum QoS twice"
        bad "20 07 00 00 04 24 01 24 01"
        good "20 05 00 00 02 24 01";
    V5 Server "u5:U5-3.2.2-a" PROTOCOL_ERROR "Retain Available twice"
        bad "20 07 00 00 04 25 01 25 01"
        good "20 05 00 00 02 25 01";
    V5 Server "u5:U5-3.2.2-a" PROTOCOL_ERROR "Maximum Packet Size twice"
        bad "20 0D 00 00 0A 27 00000001 27 00000001"
        good "20 08 00 00 05 27 00000001";
    V5 Server "u5:U5-3.2.2-a" PROTOCOL_ERROR "Assigned Client Identifier twice"
        bad "20 0B 00 00 08 12 0001 63 12 0001 63"
        good "20 07 00 00 04 12 0001 63";
    V5 Server "u5:U5-3.2.2-a" PROTOCOL_ERROR "Topic Alias Maximum twice"
        bad "20 09 00 00 06 22 0001 22 0001"
        good "20 06 00 00 03 22 0001";
    V5 Server "u5:U5-3.2.2-a" PROTOCOL_ERROR "Reason String twice"
        bad "20 0B 00 00 08 1F 0001 72 1F 0001 72"
        good "20 07 00 00 04 1F 0001 72";
    V5 Server "u5:U5-3.2.2-a" PROTOCOL_ERROR "Wildcard Subscription Available twice"
        bad "20 07 00 00 04 28 01 28 01"
        good "20 05 00 00 02 28 01";
    V5 Server "u5:U5-3.2.2-a" PROTOCOL_ERROR "Subscription Identifier Available twice"
        bad "20 07 00 00 04 29 00 29 00"
        good "20 05 00 00 02 29 00";
    V5 Server "u5:U5-3.2.2-a" PROTOCOL_ERROR "Shared Subscription Available twice"
        bad "20 07 00 00 04 2A 01 2A 01"
        good "20 05 00 00 02 2A 01";
    V5 Server "u5:U5-3.2.2-a" PROTOCOL_ERROR "Server Keep Alive twice"
        bad "20 09 00 00 06 13 0001 13 0001"
        good "20 06 00 00 03 13 0001";
    V5 Server "u5:U5-3.2.2-a" PROTOCOL_ERROR "Response Information twice"
        bad "20 0B 00 00 08 1A 0001 72 1A 0001 72"
        good "20 07 00 00 04 1A 0001 72";
    V5 Server "u5:U5-3.2.2-a" PROTOCOL_ERROR "Server Reference twice"
        bad "20 0B 00 00 08 1C 0001 73 1C 0001 73"
        good "20 07 00 00 04 1C 0001 73";
    V5 Server "u5:U5-3.2.2-a" PROTOCOL_ERROR "Authentication Method twice"
        bad "20 0B 00 00 08 15 0001 6D 15 0001 6D"
        good "20 07 00 00 04 15 0001 6D";
    V5 Server "u5:U5-3.2.2-a" PROTOCOL_ERROR "Authentication Data twice"
        bad "20 0F 00 00 0C 15 0001 6D 16 0001 64 16 0001 64"
        good "20 0B 00 00 08 15 0001 6D 16 0001 64";
    V5 Server "u5:U5-3.2.2-b" PROTOCOL_ERROR "Receive Maximum 0"
        bad "20 06 00 00 03 21 0000"
        good "20 06 00 00 03 21 0001";
    V5 Server "u5:U5-3.2.2-b" PROTOCOL_ERROR "Maximum Packet Size 0"
        bad "20 08 00 00 05 27 00000000"
        good "20 08 00 00 05 27 00000001";
    V5 Server "u5:U5-3.2.2-c" PROTOCOL_ERROR "Maximum QoS 2"
        bad "20 05 00 00 02 24 02"
        good "20 05 00 00 02 24 01";
    V5 Server "u5:U5-3.2.2-d" PROTOCOL_ERROR "Retain Available 2"
        bad "20 05 00 00 02 25 02"
        good "20 05 00 00 02 25 00";
    V5 Server "u5:U5-3.2.2-d" PROTOCOL_ERROR "Wildcard Subscription Available 2"
        bad "20 05 00 00 02 28 02"
        good "20 05 00 00 02 28 00";
    V5 Server "u5:U5-3.2.2-d" PROTOCOL_ERROR "Subscription Identifier Available 2"
        bad "20 05 00 00 02 29 02"
        good "20 05 00 00 02 29 00";
    V5 Server "u5:U5-3.2.2-d" PROTOCOL_ERROR "Shared Subscription Available 2"
        bad "20 05 00 00 02 2A 02"
        good "20 05 00 00 02 2A 00";
    V5 Server "u5:U5-2.2.2-a" EITHER "Request Problem Information in CONNACK"
        bad "20 05 00 00 02 17 01"
        good "20 05 00 00 02 25 01";
    V5 Server "v5:MQTT-1.5.4-1" MALFORMED "Assigned Client Identifier with ill-formed UTF-8"
        bad "20 07 00 00 04 12 0001 FF"
        good "20 07 00 00 04 12 0001 78";
    V5 Server "v5:MQTT-1.5.4-2" MALFORMED "Assigned Client Identifier with U+0000"
        bad "20 09 00 00 06 12 0003 610062"
        good "20 09 00 00 06 12 0003 612D62";
    V5 Server "v5:MQTT-1.5.4-1" MALFORMED "Response Information with ill-formed UTF-8"
        bad "20 07 00 00 04 1A 0001 FF"
        good "20 07 00 00 04 1A 0001 78";
    V5 Server "v5:MQTT-1.5.4-2" MALFORMED "Response Information with U+0000"
        bad "20 09 00 00 06 1A 0003 610062"
        good "20 09 00 00 06 1A 0003 612D62";
    V5 Server "v5:MQTT-1.5.4-1" MALFORMED "Server Reference with ill-formed UTF-8"
        bad "20 07 00 00 04 1C 0001 FF"
        good "20 07 00 00 04 1C 0001 78";
    V5 Server "v5:MQTT-1.5.4-2" MALFORMED "Server Reference with U+0000"
        bad "20 09 00 00 06 1C 0003 610062"
        good "20 09 00 00 06 1C 0003 612D62";
    V5 Server "v5:MQTT-1.5.4-1" MALFORMED "Reason String with an unpaired continuation byte"
        bad "20 07 00 00 04 1F 0001 80"
        good "20 07 00 00 04 1F 0001 63";
    V5 Server "v5:MQTT-1.5.4-1" MALFORMED "Reason String with an overlong encoding"
        bad "20 08 00 00 05 1F 0002 C0AF"
        good "20 08 00 00 05 1F 0002 C3AF";
    V5 Server "v5:MQTT-1.5.4-1" MALFORMED "Reason String with an encoded surrogate"
        bad "20 09 00 00 06 1F 0003 EDA080"
        good "20 09 00 00 06 1F 0003 ED9FBB";
    V5 Server "v5:MQTT-1.5.4-1" MALFORMED "Reason String with a code point above U+10FFFF"
        bad "20 0A 00 00 07 1F 0004 F4908080"
        good "20 0A 00 00 07 1F 0004 F4808080";
    V5 Server "v5:MQTT-1.5.4-1" MALFORMED "Reason String with a sequence cut off by the end of the string"
        bad "20 09 00 00 06 1F 0003 61E282"
        good "20 09 00 00 06 1F 0003 E282AC";
}
