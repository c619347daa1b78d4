//! Refusals of PUBLISH.

use super::refusal::prelude::*;

refusals! {
    V5 Client "v5:MQTT-3.3.1-2" EITHER "DUP 1 with QoS 0"
        bad "38 05 0001 74 00 68"
        good "30 05 0001 74 00 68";
    V5 Client "v5:MQTT-3.3.1-4" MALFORMED "QoS 3"
        bad "36 07 0001 74 0001 00 68"
        good "34 07 0001 74 0001 00 68";
    V5 Client "v5:MQTT-3.3.1-4" MALFORMED "QoS 3 with DUP 1"
        bad "3E 07 0001 74 0001 00 68"
        good "3C 07 0001 74 0001 00 68";
    V5 Client "v5:MQTT-3.3.2-1" MALFORMED "nothing after the fixed header"
        bad "30 00"
        good "30 04 0001 74 00";
    V5 Client "v5:MQTT-3.3.2-1" MALFORMED "one byte where the Topic Name begins"
        bad "30 01 00"
        good "30 04 0001 74 00";
    V5 Client "v5:MQTT-3.3.2-1" MALFORMED "Topic Name longer than the packet"
        bad "30 04 0003 74 00"
        good "30 04 0001 74 00";
    V5 Client "v5:MQTT-3.3.2-1" MALFORMED "Topic Name with an unpaired continuation byte"
        bad "30 05 0001 80 00 68"
        good "30 05 0001 63 00 68";
    V5 Client "v5:MQTT-3.3.2-1" MALFORMED "Topic Name with an overlong encoding"
        bad "30 06 0002 C0AF 00 68"
        good "30 06 0002 C3AF 00 68";
    V5 Client "v5:MQTT-3.3.2-1" MALFORMED "Topic Name with an encoded surrogate"
        bad "30 07 0003 EDA080 00 68"
        good "30 07 0003 ED9FBB 00 68";
    V5 Client "v5:MQTT-3.3.2-1" MALFORMED "Topic Name with a code point above U+10FFFF"
        bad "30 08 0004 F4908080 00 68"
        good "30 08 0004 F4808080 00 68";
    V5 Client "v5:MQTT-3.3.2-1" MALFORMED "Topic Name with a sequence cut off by the end of the string"
        bad "30 07 0003 61E282 00 68"
        good "30 07 0003 E282AC 00 68";
    V5 Client "v5:MQTT-3.3.2-2" TOPIC "Topic Name with +"
        bad "30 07 0003 612F2B 00 68"
        good "30 07 0003 612F62 00 68";
    V5 Client "v5:MQTT-3.3.2-2" TOPIC "Topic Name with #"
        bad "30 06 0002 6123 00 68"
        good "30 06 0002 6162 00 68";
    V5 Server "v5:MQTT-3.3.2-2" TOPIC "Topic Name from a server with #"
        bad "30 05 0001 23 00 68"
        good "30 05 0001 61 00 68";
    V5 Client "v5:MQTT-4.7.3-2" MALFORMED "Topic Name with U+0000"
        bad "30 07 0003 610062 00 68"
        good "30 07 0003 612D62 00 68";
    V3_1_1 Client "v311:MQTT-3.3.1-2" EITHER "DUP 1 with QoS 0"
        bad "38 04 0001 74 68"
        good "30 04 0001 74 68";
    V3_1_1 Client "v311:MQTT-3.3.1-4" MALFORMED "QoS 3"
        bad "36 06 0001 74 0001 68"
        good "34 06 0001 74 0001 68";
    V3_1_1 Client "v311:MQTT-3.3.1-4" MALFORMED "QoS 3 with DUP 1"
        bad "3E 06 0001 74 0001 68"
        good "3C 06 0001 74 0001 68";
    V3_1_1 Client "v311:MQTT-3.3.2-1" MALFORMED "nothing after the fixed header"
        bad "30 00"
        good "30 03 0001 74";
    V3_1_1 Client "v311:MQTT-3.3.2-1" MALFORMED "one byte where the Topic Name begins"
        bad "30 01 00"
        good "30 03 0001 74";
    V3_1_1 Client "v311:MQTT-3.3.2-1" MALFORMED "Topic Name longer than the packet"
        bad "30 03 0003 74"
        good "30 03 0001 74";
    V3_1_1 Client "v311:MQTT-3.3.2-1" MALFORMED "Topic Name with an unpaired continuation byte"
        bad "30 04 0001 80 68"
        good "30 04 0001 63 68";
    V3_1_1 Client "v311:MQTT-3.3.2-1" MALFORMED "Topic Name with an overlong encoding"
        bad "30 05 0002 C0AF 68"
        good "30 05 0002 C3AF 68";
    V3_1_1 Client "v311:MQTT-3.3.2-1" MALFORMED "Topic Name with an encoded surrogate"
        bad "30 06 0003 EDA080 68"
        good "30 06 0003 ED9FBB 68";
    V3_1_1 Client "v311:MQTT-3.3.2-1" MALFORMED "Topic Name with a code point above U+10FFFF"
        bad "30 07 0004 F4908080 68"
        good "30 07 0004 F4808080 68";
    V3_1_1 Client "v311:MQTT-3.3.2-1" MALFORMED "Topic Name with a sequence cut off by the end of the string"
        bad "30 06 0003 61E282 68"
        good "30 06 0003 E282AC 68";
    V3_1_1 Client "v311:MQTT-3.3.2-2" TOPIC "Topic Name with +"
        bad "30 06 0003 612F2B 68"
        good "30 06 0003 612F62 68";
    V3_1_1 Client "v311:MQTT-3.3.2-2" TOPIC "Topic Name with #"
        bad "30 05 0002 6123 68"
        good "30 05 0002 6162 68";
    V3_1_1 Server "v311:MQTT-3.3.2-2" TOPIC "Topic Name from a server with #"
        bad "30 04 0001 23 68"
        good "30 04 0001 61 68";
    V3_1_1 Client "v311:MQTT-4.7.3-2" MALFORMED "Topic Name with U+0000"
        bad "30 06 0003 610062 68"
        good "30 06 0003 612D62 68";
    V3_1_1 Client "v311:MQTT-4.7.3-1" TOPIC "empty Topic Name"
        bad "30 03 0000 68"
        good "30 04 0001 74 68";
    V3_1_1 Client "v311:MQTT-2.3.1-1" EITHER "QoS 1 with Packet Identifier 0"
        bad "32 06 0001 74 0000 68"
        good "32 06 0001 74 0001 68";
    V3_1_1 Client "v311:MQTT-2.3.1-1" EITHER "QoS 2 and the packet ends after the Topic Name"
        bad "34 03 0001 74"
        good "34 05 0001 74 0001";
    V5 Client "v5:MQTT-2.2.1-3" EITHER "QoS 1 with Packet Identifier 0"
        bad "32 07 0001 74 0000 00 68"
        good "32 07 0001 74 0001 00 68";
    V5 Client "v5:MQTT-2.2.1-3" EITHER "QoS 1 with one byte of Packet Identifier"
        bad "32 04 0001 74 00"
        good "32 06 0001 74 0001 00";
    V5 Server "v5:MQTT-2.2.1-4" EITHER "QoS 2 from a server with Packet Identifier 0"
        bad "34 07 0001 74 0000 00 68"
        good "34 07 0001 74 0001 00 68";
    V5 Client "v5:MQTT-2.2.2-1" MALFORMED "PUBLISH without Property Length"
        bad "30 03 0001 74"
        good "30 04 0001 74 00";
    V5 Client "v5:MQTT-2.2.2-1" MALFORMED "QoS 1 PUBLISH without Property Length"
        bad "32 05 0001 74 0001"
        good "32 06 0001 74 0001 00";
    V5 Client "v5:MQTT-2.2.2-1" MALFORMED "Property Length cut off by the end of the packet"
        bad "30 04 0001 74 80"
        good "30 04 0001 74 00";
    V5 Client "u5:U5-3.3.2-a" PROTOCOL_ERROR "empty Topic Name without Topic Alias"
        bad "30 04 0000 00 68"
        good "30 07 0000 03 23 0001 68";
    V5 Server "u5:U5-3.3.2-a" PROTOCOL_ERROR "empty Topic Name from a server without Topic Alias"
        bad "30 04 0000 00 68"
        good "30 05 0001 74 00 68";
    V5 Client "u5:U5-3.3.2-c" PROTOCOL_ERROR "Payload Format Indicator twice"
        bad "30 09 0001 74 04 01 00 01 00 68"
        good "30 07 0001 74 02 01 00 68";
    V5 Client "u5:U5-3.3.2-c" PROTOCOL_ERROR "Message Expiry Interval twice"
        bad "30 0F 0001 74 0A 02 0000003C 02 0000003C 68"
        good "30 0A 0001 74 05 02 0000003C 68";
    V5 Client "u5:U5-3.3.2-c" PROTOCOL_ERROR "Topic Alias twice"
        bad "30 0B 0001 74 06 23 0001 23 0001 68"
        good "30 08 0001 74 03 23 0001 68";
    V5 Client "u5:U5-3.3.2-c" PROTOCOL_ERROR "Response Topic twice"
        bad "30 0D 0001 74 08 08 0001 72 08 0001 72 68"
        good "30 09 0001 74 04 08 0001 72 68";
    V5 Client "u5:U5-3.3.2-c" PROTOCOL_ERROR "Correlation Data twice"
        bad "30 0D 0001 74 08 09 0001 64 09 0001 64 68"
        good "30 09 0001 74 04 09 0001 64 68";
    V5 Client "u5:U5-3.3.2-c" PROTOCOL_ERROR "Content Type twice"
        bad "30 0D 0001 74 08 03 0001 78 03 0001 78 68"
        good "30 09 0001 74 04 03 0001 78 68";
    V5 Server "u5:U5-3.3.2-d" PROTOCOL_ERROR "Subscription Identifier 0"
        bad "30 07 0001 74 02 0B 00 68"
        good "30 07 0001 74 02 0B 01 68";
    V5 Server "u5:U5-3.3.2-d" PROTOCOL_ERROR "second Subscription Identifier 0"
        bad "30 09 0001 74 04 0B 01 0B 00 68"
        good "30 09 0001 74 04 0B 01 0B 01 68";
    V5 Client "v5:MQTT-3.3.4-6" PROTOCOL_ERROR "Subscription Identifier from a client"
        bad "30 07 0001 74 02 0B 05 68"
        good "30 05 0001 74 00 68";
    V5 Client "v5:MQTT-3.3.2-8" ALIAS "Topic Alias 0"
        bad "30 08 0001 74 03 23 0000 68"
        good "30 08 0001 74 03 23 0001 68";
    V5 Client "v5:MQTT-3.3.2-8" ALIAS "Topic Alias 0 with an empty Topic Name"
        bad "30 07 0000 03 23 0000 68"
        good "30 07 0000 03 23 0001 68";
    V5 Client "v5:MQTT-3.3.2-13" MALFORMED "Response Topic with an unpaired continuation byte"
        bad "30 09 0001 74 04 08 0001 80 68"
        good "30 09 0001 74 04 08 0001 63 68";
    V5 Client "v5:MQTT-3.3.2-19" MALFORMED "Content Type with an unpaired continuation byte"
        bad "30 09 0001 74 04 03 0001 80 68"
        good "30 09 0001 74 04 03 0001 63 68";
    V5 Client "v5:MQTT-3.3.2-13" MALFORMED "Response Topic with an overlong encoding"
        bad "30 0A 0001 74 05 08 0002 C0AF 68"
        good "30 0A 0001 74 05 08 0002 C3AF 68";
    V5 Client "v5:MQTT-3.3.2-19" MALFORMED "Content Type with an overlong encoding"
        bad "30 0A 0001 74 05 03 0002 C0AF 68"
        good "30 0A 0001 74 05 03 0002 C3AF 68";
    V5 Client "v5:MQTT-3.3.2-14" TOPIC "Response Topic with +"
        bad "30 0B 0001 74 06 08 0003 722F2B 68"
        good "30 0B 0001 74 06 08 0003 722F73 68";
    V5 Client "v5:MQTT-3.3.2-14" TOPIC "Response Topic with #"
        bad "30 09 0001 74 04 08 0001 23 68"
        good "30 09 0001 74 04 08 0001 72 68";
    V5 Client "v5:MQTT-4.7.3-1" TOPIC "empty Response Topic"
        bad "30 08 0001 74 03 08 0000 68"
        good "30 09 0001 74 04 08 0001 72 68";
    V5 Client "v5:MQTT-4.7.3-2" MALFORMED "Response Topic with U+0000"
        bad "30 0B 0001 74 06 08 0003 610062 68"
        good "30 0B 0001 74 06 08 0003 612D62 68";
    V5 Client "v5:MQTT-1.5.4-2" MALFORMED "Content Type with U+0000"
        bad "30 0B 0001 74 06 03 0003 610062 68"
        good "30 0B 0001 74 06 03 0003 612D62 68";
    V5 Client "v5:MQTT-1.5.7-1" MALFORMED "value of a User Property with an encoded surrogate"
        bad "30 0E 0001 74 09 26 0001 6E 0003 EDB080 68"
        good "30 0E 0001 74 09 26 0001 6E 0003 ED9FBB 68";
    V5 Client "u5:U5-2.2.2-a" EITHER "Payload Format Indicator 2"
        bad "30 07 0001 74 02 01 02 68"
        good "30 07 0001 74 02 01 01 68";
    V5 Client "u5:U5-2.2.2-a" EITHER "Reason String in PUBLISH"
        bad "30 09 0001 74 04 1F 0001 72 68"
        good "30 09 0001 74 04 03 0001 72 68";
    V5 Client "u5:U5-2.2.2-a" EITHER "Message Expiry Interval cut off at the end of the section"
        bad "30 08 0001 74 04 02 000000"
        good "30 09 0001 74 05 02 00000000";
    V5 Client "u5:U5-2.2.2-a" EITHER "PUBLISH whose properties are longer than the packet"
        bad "30 06 0001 74 03 0101"
        good "30 06 0001 74 02 0101";
    V5 Server "u5:U5-2.2.2-a" EITHER "Subscription Identifier cut off at the end of the section"
        bad "30 06 0001 74 02 0B80"
        good "30 06 0001 74 02 0B01";
}
