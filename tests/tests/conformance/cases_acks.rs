//! Refusals of PUBACK, PUBREC, PUBREL and PUBCOMP.

use super::refusal::prelude::*;

refusals! {
    V5 Server "v5:MQTT-3.4.2-1" EITHER "PUBACK with reason code 0x01"
        bad "40 03 0001 01"
        good "40 03 0001 10";
    V5 Server "v5:MQTT-3.4.2-1" EITHER "PUBACK with reason code 0x92"
        bad "40 03 0001 92"
        good "40 03 0001 10";
    V5 Server "v5:MQTT-3.4.2-1" EITHER "PUBACK with reason code 0xFF"
        bad "40 03 0001 FF"
        good "40 03 0001 10";
    V5 Server "u5:U5-3.4.2-b" PROTOCOL_ERROR "PUBACK with Reason String twice"
        bad "40 0C 0001 00 08 1F 0001 72 1F 0001 72"
        good "40 08 0001 00 04 1F 0001 72";
    V5 Server "u5:U5-2.2.2-a" EITHER "PUBACK with Content Type"
        bad "40 08 0001 00 04 03 0001 72"
        good "40 08 0001 00 04 1F 0001 72";
    V5 Server "v5:MQTT-1.5.4-1" MALFORMED "PUBACK with ill-formed UTF-8 in its Reason String"
        bad "40 08 0001 00 04 1F 0001 FF"
        good "40 08 0001 00 04 1F 0001 72";
    V5 Server "v5:MQTT-1.5.7-1" MALFORMED "PUBACK with ill-formed UTF-8 in a User Property"
        bad "40 0A 0001 00 06 26 0001 FF 0000"
        good "40 0A 0001 00 06 26 0001 6E 0000";
    V5 Server "v5:MQTT-2.2.1-5" EITHER "PUBACK with Packet Identifier 0"
        bad "40 02 0000"
        good "40 02 0001";
    V5 Server "v5:MQTT-2.2.1-5" EITHER "PUBACK with one byte of Packet Identifier"
        bad "40 01 01"
        good "40 02 0001";
    V3_1_1 Server "v311:MQTT-2.3.1-6" EITHER "PUBACK with Packet Identifier 0"
        bad "40 02 0000"
        good "40 02 0001";
    V5 Server "v5:MQTT-3.5.2-1" EITHER "PUBREC with reason code 0x01"
        bad "50 03 0001 01"
        good "50 03 0001 10";
    V5 Server "v5:MQTT-3.5.2-1" EITHER "PUBREC with reason code 0x92"
        bad "50 03 0001 92"
        good "50 03 0001 10";
    V5 Server "v5:MQTT-3.5.2-1" EITHER "PUBREC with reason code 0xFF"
        bad "50 03 0001 FF"
        good "50 03 0001 10";
    V5 Server "u5:U5-3.4.2-b" PROTOCOL_ERROR "PUBREC with Reason String twice"
        bad "50 0C 0001 00 08 1F 0001 72 1F 0001 72"
        good "50 08 0001 00 04 1F 0001 72";
    V5 Server "u5:U5-2.2.2-a" EITHER "PUBREC with Content Type"
        bad "50 08 0001 00 04 03 0001 72"
        good "50 08 0001 00 04 1F 0001 72";
    V5 Server "v5:MQTT-1.5.4-1" MALFORMED "PUBREC with ill-formed UTF-8 in its Reason String"
        bad "50 08 0001 00 04 1F 0001 FF"
        good "50 08 0001 00 04 1F 0001 72";
    V5 Server "v5:MQTT-1.5.7-1" MALFORMED "PUBREC with ill-formed UTF-8 in a User Property"
        bad "50 0A 0001 00 06 26 0001 FF 0000"
        good "50 0A 0001 00 06 26 0001 6E 0000";
    V5 Server "v5:MQTT-2.2.1-5" EITHER "PUBREC with Packet Identifier 0"
        bad "50 02 0000"
        good "50 02 0001";
    V5 Server "v5:MQTT-2.2.1-5" EITHER "PUBREC with one byte of Packet Identifier"
        bad "50 01 01"
        good "50 02 0001";
    V3_1_1 Server "v311:MQTT-2.3.1-6" EITHER "PUBREC with Packet Identifier 0"
        bad "50 02 0000"
        good "50 02 0001";
    V5 Server "v5:MQTT-3.6.2-1" EITHER "PUBREL with reason code 0x01"
        bad "62 03 0001 01"
        good "62 03 0001 92";
    V5 Server "v5:MQTT-3.6.2-1" EITHER "PUBREL with reason code 0x10"
        bad "62 03 0001 10"
        good "62 03 0001 92";
    V5 Server "v5:MQTT-3.6.2-1" EITHER "PUBREL with reason code 0xFF"
        bad "62 03 0001 FF"
        good "62 03 0001 92";
    V5 Server "u5:U5-3.4.2-b" PROTOCOL_ERROR "PUBREL with Reason String twice"
        bad "62 0C 0001 00 08 1F 0001 72 1F 0001 72"
        good "62 08 0001 00 04 1F 0001 72";
    V5 Server "u5:U5-2.2.2-a" EITHER "PUBREL with Content Type"
        bad "62 08 0001 00 04 03 0001 72"
        good "62 08 0001 00 04 1F 0001 72";
    V5 Server "v5:MQTT-1.5.4-1" MALFORMED "PUBREL with ill-formed UTF-8 in its Reason String"
        bad "62 08 0001 00 04 1F 0001 FF"
        good "62 08 0001 00 04 1F 0001 72";
    V5 Server "v5:MQTT-1.5.7-1" MALFORMED "PUBREL with ill-formed UTF-8 in a User Property"
        bad "62 0A 0001 00 06 26 0001 FF 0000"
        good "62 0A 0001 00 06 26 0001 6E 0000";
    V5 Server "v5:MQTT-2.2.1-5" EITHER "PUBREL with Packet Identifier 0"
        bad "62 02 0000"
        good "62 02 0001";
    V5 Server "v5:MQTT-2.2.1-5" EITHER "PUBREL with one byte of Packet Identifier"
        bad "62 01 01"
        good "62 02 0001";
    V3_1_1 Server "v311:MQTT-2.3.1-6" EITHER "PUBREL with Packet Identifier 0"
        bad "62 02 0000"
        good "62 02 0001";
    V5 Server "v5:MQTT-3.7.2-1" EITHER "PUBCOMP with reason code 0x01"
        bad "70 03 0001 01"
        good "70 03 0001 92";
    V5 Server "v5:MQTT-3.7.2-1" EITHER "PUBCOMP with reason code 0x80"
        bad "70 03 0001 80"
        good "70 03 0001 92";
    V5 Server "v5:MQTT-3.7.2-1" EITHER "PUBCOMP with reason code 0xFF"
        bad "70 03 0001 FF"
        good "70 03 0001 92";
    V5 Server "u5:U5-3.4.2-b" PROTOCOL_ERROR "PUBCOMP with Reason String twice"
        bad "70 0C 0001 00 08 1F 0001 72 1F 0001 72"
        good "70 08 0001 00 04 1F 0001 72";
    V5 Server "u5:U5-2.2.2-a" EITHER "PUBCOMP with Content Type"
        bad "70 08 0001 00 04 03 0001 72"
        good "70 08 0001 00 04 1F 0001 72";
    V5 Server "v5:MQTT-1.5.4-1" MALFORMED "PUBCOMP with ill-formed UTF-8 in its Reason String"
        bad "70 08 0001 00 04 1F 0001 FF"
        good "70 08 0001 00 04 1F 0001 72";
    V5 Server "v5:MQTT-1.5.7-1" MALFORMED "PUBCOMP with ill-formed UTF-8 in a User Property"
        bad "70 0A 0001 00 06 26 0001 FF 0000"
        good "70 0A 0001 00 06 26 0001 6E 0000";
    V5 Server "v5:MQTT-2.2.1-5" EITHER "PUBCOMP with Packet Identifier 0"
        bad "70 02 0000"
        good "70 02 0001";
    V5 Server "v5:MQTT-2.2.1-5" EITHER "PUBCOMP with one byte of Packet Identifier"
        bad "70 01 01"
        good "70 02 0001";
    V3_1_1 Server "v311:MQTT-2.3.1-6" EITHER "PUBCOMP with Packet Identifier 0"
        bad "70 02 0000"
        good "70 02 0001";
    V5 Server "u5:U5-2.2.2-a" EITHER "PUBACK whose properties are longer than the packet"
        bad "40 04 0001 00 01"
        good "40 04 0001 00 00";
}
