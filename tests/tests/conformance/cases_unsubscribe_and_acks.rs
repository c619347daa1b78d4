//! Refusals of UNSUBSCRIBE, SUBACK and UNSUBACK.

use super::refusal::prelude::*;

refusals! {
    V5 Client "v5:MQTT-3.10.3-2" PROTOCOL_ERROR "no Topic Filter"
        bad "A2 03 0001 00"
        good "A2 06 0001 00 0001 61";
    V5 Client "v5:MQTT-3.10.3-1" MALFORMED "Topic Filter with an overlong encoding"
        bad "A2 07 0001 00 0002 C0AF"
        good "A2 07 0001 00 0002 C3AF";
    V5 Client "v5:MQTT-3.10.3-1" MALFORMED "Topic Filter with an encoded surrogate"
        bad "A2 08 0001 00 0003 EDA080"
        good "A2 08 0001 00 0003 ED9FBB";
    V5 Client "v5:MQTT-3.10.3-1" MALFORMED "Topic Filter with a code point above U+10FFFF"
        bad "A2 09 0001 00 0004 F4908080"
        good "A2 09 0001 00 0004 F4808080";
    V5 Client "v5:MQTT-3.10.3-1" MALFORMED "Topic Filter longer than the packet"
        bad "A2 06 0001 00 0002 61"
        good "A2 06 0001 00 0001 61";
    V5 Client "v5:MQTT-3.10.3-1" MALFORMED "one byte where the second Topic Filter begins"
        bad "A2 07 0001 00 0001 61 00"
        good "A2 06 0001 00 0001 61";
    V5 Client "v5:MQTT-4.7.3-2" MALFORMED "UNSUBSCRIBE with U+0000 in its Topic Filter"
        bad "A2 08 0001 00 0003 610062"
        good "A2 08 0001 00 0003 612D62";
    V5 Client "v5:MQTT-4.7.3-1" FILTER "UNSUBSCRIBE with an empty Topic Filter"
        bad "A2 05 0001 00 0000"
        good "A2 06 0001 00 0001 61";
    V5 Client "v5:MQTT-4.7.1-1" FILTER "UNSUBSCRIBE with filter a#"
        bad "A2 07 0001 00 0002 6123"
        good "A2 08 0001 00 0003 612F23";
    V5 Client "v5:MQTT-4.7.1-2" FILTER "UNSUBSCRIBE with filter a+"
        bad "A2 07 0001 00 0002 612B"
        good "A2 08 0001 00 0003 612F2B";
    V5 Client "v5:MQTT-2.2.1-3" EITHER "UNSUBSCRIBE with Packet Identifier 0"
        bad "A2 06 0000 00 0001 61"
        good "A2 06 0001 00 0001 61";
    V5 Server "v5:MQTT-3.9.3-2" EITHER "return code 0x03 in SUBACK"
        bad "90 05 0001 00 00 03"
        good "90 05 0001 00 00 80";
    V5 Server "v5:MQTT-3.9.3-2" EITHER "return code 0x7F in SUBACK"
        bad "90 05 0001 00 00 7F"
        good "90 05 0001 00 00 80";
    V5 Server "v5:MQTT-3.9.3-2" EITHER "return code 0x81 in SUBACK"
        bad "90 05 0001 00 00 81"
        good "90 05 0001 00 00 80";
    V5 Server "v5:MQTT-3.9.3-2" EITHER "return code 0x92 in SUBACK"
        bad "90 05 0001 00 00 92"
        good "90 05 0001 00 00 80";
    V5 Server "v5:MQTT-3.9.3-2" EITHER "return code 0xFF in SUBACK"
        bad "90 05 0001 00 00 FF"
        good "90 05 0001 00 00 80";
    V5 Server "v5:MQTT-3.8.4-6" EITHER "SUBACK without a code"
        bad "90 03 0001 00"
        good "90 04 0001 00 00";
    V5 Server "v5:MQTT-2.2.1-6" EITHER "SUBACK with Packet Identifier 0"
        bad "90 04 0000 00 00"
        good "90 04 0001 00 00";
    V5 Server "v5:MQTT-2.2.1-6" EITHER "UNSUBACK with Packet Identifier 0"
        bad "B0 04 0000 00 00"
        good "B0 04 0001 00 00";
    V3_1_1 Client "v311:MQTT-3.10.3-2" PROTOCOL_ERROR "no Topic Filter"
        bad "A2 02 0001"
        good "A2 05 0001 0001 61";
    V3_1_1 Client "v311:MQTT-3.10.3-1" MALFORMED "Topic Filter with an overlong encoding"
        bad "A2 06 0001 0002 C0AF"
        good "A2 06 0001 0002 C3AF";
    V3_1_1 Client "v311:MQTT-3.10.3-1" MALFORMED "Topic Filter with an encoded surrogate"
        bad "A2 07 0001 0003 EDA080"
        good "A2 07 0001 0003 ED9FBB";
    V3_1_1 Client "v311:MQTT-3.10.3-1" MALFORMED "Topic Filter with a code point above U+10FFFF"
        bad "A2 08 0001 0004 F4908080"
        good "A2 08 0001 0004 F4808080";
    V3_1_1 Client "v311:MQTT-3.10.3-1" MALFORMED "Topic Filter longer than the packet"
        bad "A2 05 0001 0002 61"
        good "A2 05 0001 0001 61";
    V3_1_1 Client "v311:MQTT-3.10.3-1" MALFORMED "one byte where the second Topic Filter begins"
        bad "A2 06 0001 0001 61 00"
        good "A2 05 0001 0001 61";
    V3_1_1 Client "v311:MQTT-4.7.3-2" MALFORMED "UNSUBSCRIBE with U+0000 in its Topic Filter"
        bad "A2 07 0001 0003 610062"
        good "A2 07 0001 0003 612D62";
    V3_1_1 Client "v311:MQTT-4.7.3-1" FILTER "UNSUBSCRIBE with an empty Topic Filter"
        bad "A2 04 0001 0000"
        good "A2 05 0001 0001 61";
    V3_1_1 Client "v311:MQTT-4.7.1-2" FILTER "UNSUBSCRIBE with filter a#"
        bad "A2 06 0001 0002 6123"
        good "A2 07 0001 0003 612F23";
    V3_1_1 Client "v311:MQTT-4.7.1-3" FILTER "UNSUBSCRIBE with filter a+"
        bad "A2 06 0001 0002 612B"
        good "A2 07 0001 0003 612F2B";
    V3_1_1 Client "v311:MQTT-2.3.1-1" EITHER "UNSUBSCRIBE with Packet Identifier 0"
        bad "A2 05 0000 0001 61"
        good "A2 05 0001 0001 61";
    V3_1_1 Server "v311:MQTT-3.9.3-2" EITHER "return code 0x03 in SUBACK"
        bad "90 04 0001 00 03"
        good "90 04 0001 00 80";
    V3_1_1 Server "v311:MQTT-3.9.3-2" EITHER "return code 0x7F in SUBACK"
        bad "90 04 0001 00 7F"
        good "90 04 0001 00 80";
    V3_1_1 Server "v311:MQTT-3.9.3-2" EITHER "return code 0x81 in SUBACK"
        bad "90 04 0001 00 81"
        good "90 04 0001 00 80";
    V3_1_1 Server "v311:MQTT-3.9.3-2" EITHER "return code 0x87 in SUBACK"
        bad "90 04 0001 00 87"
        good "90 04 0001 00 80";
    V3_1_1 Server "v311:MQTT-3.9.3-2" EITHER "return code 0xFF in SUBACK"
        bad "90 04 0001 00 FF"
        good "90 04 0001 00 80";
    V3_1_1 Server "v311:MQTT-3.8.4-5" EITHER "SUBACK without a code"
        bad "90 02 0001"
        good "90 03 0001 00";
    V3_1_1 Server "v311:MQTT-2.3.1-7" EITHER "SUBACK with Packet Identifier 0"
        bad "90 03 0000 00"
        good "90 03 0001 00";
    V3_1_1 Server "v311:MQTT-2.3.1-7" EITHER "UNSUBACK with Packet Identifier 0"
        bad "B0 02 0000"
        good "B0 02 0001";
    V5 Client "v5:MQTT-4.8.2-1" FILTER "UNSUBSCRIBE with filter $share//a"
        bad "A2 0E 0001 00 0009 2473686172652F2F61"
        good "A2 0F 0001 00 000A 2473686172652F672F61";
    V5 Client "v5:MQTT-4.8.2-2" FILTER "UNSUBSCRIBE with filter $share/g"
        bad "A2 0D 0001 00 0008 2473686172652F67"
        good "A2 0F 0001 00 000A 2473686172652F672F61";
    V5 Client "v5:MQTT-2.2.2-1" MALFORMED "UNSUBSCRIBE without Property Length"
        bad "A2 02 0001"
        good "A2 06 0001 00 0001 61";
    V5 Client "u5:U5-2.2.2-a" EITHER "Subscription Identifier in UNSUBSCRIBE"
        bad "A2 08 0001 02 0B 01 0001 61"
        good "A2 06 0001 00 0001 61";
    V5 Server "u5:U5-3.4.2-b" PROTOCOL_ERROR "SUBACK with Reason String twice"
        bad "90 0C 0001 08 1F 0001 72 1F 0001 72 01"
        good "90 08 0001 04 1F 0001 72 01";
    V5 Server "u5:U5-2.2.2-a" EITHER "SUBACK with Server Reference"
        bad "90 08 0001 04 1C 0001 72 01"
        good "90 08 0001 04 1F 0001 72 01";
    V5 Server "u5:U5-2.2.2-a" EITHER "SUBACK whose properties are longer than the packet"
        bad "90 08 0001 09 1F 0001 72 01"
        good "90 08 0001 04 1F 0001 72 01";
    V5 Server "v5:MQTT-2.2.2-1" MALFORMED "SUBACK without Property Length"
        bad "90 02 0001"
        good "90 04 0001 00 01";
    V5 Server "v5:MQTT-1.5.4-2" MALFORMED "SUBACK with U+0000 in its Reason String"
        bad "90 0A 0001 06 1F 0003 610062 01"
        good "90 0A 0001 06 1F 0003 612D62 01";
    V5 Server "u5:U5-3.4.2-b" PROTOCOL_ERROR "UNSUBACK with Reason String twice"
        bad "B0 0C 0001 08 1F 0001 72 1F 0001 72 11"
        good "B0 08 0001 04 1F 0001 72 11";
    V5 Server "u5:U5-2.2.2-a" EITHER "UNSUBACK with Server Reference"
        bad "B0 08 0001 04 1C 0001 72 11"
        good "B0 08 0001 04 1F 0001 72 11";
    V5 Server "u5:U5-2.2.2-a" EITHER "UNSUBACK whose properties are longer than the packet"
        bad "B0 08 0001 09 1F 0001 72 11"
        good "B0 08 0001 04 1F 0001 72 11";
    V5 Server "v5:MQTT-2.2.2-1" MALFORMED "UNSUBACK without Property Length"
        bad "B0 02 0001"
        good "B0 04 0001 00 11";
    V5 Server "v5:MQTT-1.5.4-2" MALFORMED "UNSUBACK with U+0000 in its Reason String"
        bad "B0 0A 0001 06 1F 0003 610062 11"
        good "B0 0A 0001 06 1F 0003 612D62 11";
    V5 Server "v5:MQTT-3.11.3-2" EITHER "reason code 0x01 in UNSUBACK"
        bad "B0 05 0001 00 11 01"
        good "B0 05 0001 00 11 00";
    V5 Server "v5:MQTT-3.11.3-2" EITHER "reason code 0x10 in UNSUBACK"
        bad "B0 05 0001 00 11 10"
        good "B0 05 0001 00 11 00";
    V5 Server "v5:MQTT-3.11.3-2" EITHER "reason code 0x97 in UNSUBACK"
        bad "B0 05 0001 00 11 97"
        good "B0 05 0001 00 11 00";
    V5 Server "v5:MQTT-3.11.3-2" EITHER "reason code 0xA2 in UNSUBACK"
        bad "B0 05 0001 00 11 A2"
        good "B0 05 0001 00 11 00";
    V5 Server "v5:MQTT-3.11.3-2" EITHER "reason code 0xFF in UNSUBACK"
        bad "B0 05 0001 00 11 FF"
        good "B0 05 0001 00 11 00";
    V5 Server "v5:MQTT-3.11.3-2" EITHER "UNSUBACK without a code"
        bad "B0 03 0001 00"
        good "B0 04 0001 00 00";
}
