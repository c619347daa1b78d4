//! Refusals of DISCONNECT and AUTH.

use super::refusal::prelude::*;

refusals! {
    V5 Server "v5:MQTT-3.14.2-1" EITHER "DISCONNECT with reason code 0x01"
        bad "E0 01 01"
        good "E0 01 80";
    V5 Server "v5:MQTT-3.14.2-1" EITHER "DISCONNECT with reason code 0x05"
        bad "E0 01 05"
        good "E0 01 80";
    V5 Server "v5:MQTT-3.14.2-1" EITHER "DISCONNECT with reason code 0x18"
        bad "E0 01 18"
        good "E0 01 80";
    V5 Server "v5:MQTT-3.14.2-1" EITHER "DISCONNECT with reason code 0x84"
        bad "E0 01 84"
        good "E0 01 80";
    V5 Server "v5:MQTT-3.14.2-1" EITHER "DISCONNECT with reason code 0x85"
        bad "E0 01 85"
        good "E0 01 80";
    V5 Server "v5:MQTT-3.14.2-1" EITHER "DISCONNECT with reason code 0x86"
        bad "E0 01 86"
        good "E0 01 80";
    V5 Server "v5:MQTT-3.14.2-1" EITHER "DISCONNECT with reason code 0x88"
        bad "E0 01 88"
        good "E0 01 80";
    V5 Server "v5:MQTT-3.14.2-1" EITHER "DISCONNECT with reason code 0x8A"
        bad "E0 01 8A"
        good "E0 01 80";
    V5 Server "v5:MQTT-3.14.2-1" EITHER "DISCONNECT with reason code 0x91"
        bad "E0 01 91"
        good "E0 01 80";
    V5 Server "v5:MQTT-3.14.2-1" EITHER "DISCONNECT with reason code 0x92"
        bad "E0 01 92"
        good "E0 01 80";
    V5 Server "v5:MQTT-3.14.2-1" EITHER "DISCONNECT with reason code 0xA3"
        bad "E0 01 A3"
        good "E0 01 80";
    V5 Server "v5:MQTT-3.14.2-1" EITHER "DISCONNECT with reason code 0xFF"
        bad "E0 01 FF"
        good "E0 01 80";
    V5 Server "v5:MQTT-3.14.2-1" EITHER "DISCONNECT from a server with reason code 0x04"
        bad "E0 01 04"
        good "E0 01 00";
    V5 Client "v5:MQTT-3.14.2-1" EITHER "DISCONNECT from a client with reason code 0x8E"
        bad "E0 01 8E"
        good "E0 01 80";
    V5 Server "v5:MQTT-3.14.2-2" EITHER "Session Expiry Interval from a server"
        bad "E0 07 00 05 11 00000001"
        good "E0 07 00 05 26 0000 0000";
    V5 Client "u5:U5-3.14.2-b" PROTOCOL_ERROR "Session Expiry Interval twice"
        bad "E0 0C 00 0A 11 00000001 11 00000001"
        good "E0 07 00 05 11 00000001";
    V5 Server "u5:U5-3.14.2-b" PROTOCOL_ERROR "Server Reference twice"
        bad "E0 0A 9C 08 1C 0001 73 1C 0001 73"
        good "E0 06 9C 04 1C 0001 73";
    V5 Server "u5:U5-3.4.2-b" PROTOCOL_ERROR "DISCONNECT with Reason String twice"
        bad "E0 0A 00 08 1F 0001 72 1F 0001 72"
        good "E0 06 00 04 1F 0001 72";
    V5 Client "u5:U5-2.2.2-a" EITHER "Server Reference from a client"
        bad "E0 06 00 04 1C 0001 73"
        good "E0 06 00 04 1F 0001 73";
    V5 Server "u5:U5-2.2.2-a" EITHER "Receive Maximum in DISCONNECT"
        bad "E0 05 00 03 21 0001"
        good "E0 05 00 03 1F 0000";
    V5 Server "u5:U5-2.2.2-a" EITHER "DISCONNECT whose properties are longer than the packet"
        bad "E0 02 00 01"
        good "E0 02 00 00";
    V5 Server "v5:MQTT-1.5.4-1" MALFORMED "Server Reference of DISCONNECT with ill-formed UTF-8"
        bad "E0 06 9D 04 1C 0001 FF"
        good "E0 06 9D 04 1C 0001 73";
    V5 Server "v5:MQTT-3.15.2-1" EITHER "AUTH with reason code 0x01"
        bad "F0 06 01 04 15 0001 6D"
        good "F0 06 18 04 15 0001 6D";
    V5 Server "v5:MQTT-3.15.2-1" EITHER "AUTH with reason code 0x17"
        bad "F0 06 17 04 15 0001 6D"
        good "F0 06 18 04 15 0001 6D";
    V5 Server "v5:MQTT-3.15.2-1" EITHER "AUTH with reason code 0x1A"
        bad "F0 06 1A 04 15 0001 6D"
        good "F0 06 18 04 15 0001 6D";
    V5 Server "v5:MQTT-3.15.2-1" EITHER "AUTH with reason code 0x80"
        bad "F0 06 80 04 15 0001 6D"
        good "F0 06 18 04 15 0001 6D";
    V5 Server "v5:MQTT-3.15.2-1" EITHER "AUTH with reason code 0x8C"
        bad "F0 06 8C 04 15 0001 6D"
        good "F0 06 18 04 15 0001 6D";
    V5 Server "v5:MQTT-3.15.2-1" EITHER "AUTH with reason code 0xFF"
        bad "F0 06 FF 04 15 0001 6D"
        good "F0 06 18 04 15 0001 6D";
    V5 Server "v5:MQTT-3.15.2-1" EITHER "AUTH from a server with reason code 0x19"
        bad "F0 06 19 04 15 0001 6D"
        good "F0 06 18 04 15 0001 6D";
    V5 Client "v5:MQTT-3.15.2-1" EITHER "AUTH from a client with reason code 0x00"
        bad "F0 06 00 04 15 0001 6D"
        good "F0 06 19 04 15 0001 6D";
    V5 Client "u5:U5-3.15.2-a" PROTOCOL_ERROR "AUTH without Authentication Method"
        bad "F0 02 18 00"
        good "F0 05 18 03 15 0000";
    V5 Client "u5:U5-3.15.2-a" PROTOCOL_ERROR "AUTH with Authentication Data alone"
        bad "F0 06 18 04 16 0001 64"
        good "F0 0A 18 08 16 0001 64 15 0001 6D";
    V5 Server "u5:U5-3.15.2-a" PROTOCOL_ERROR "AUTH with Authentication Method twice"
        bad "F0 0A 18 08 15 0001 6D 15 0001 6D"
        good "F0 06 18 04 15 0001 6D";
    V5 Server "u5:U5-3.15.2-b" PROTOCOL_ERROR "AUTH with Authentication Data twice"
        bad "F0 0E 18 0C 15 0001 6D 16 0001 64 16 0001 64"
        good "F0 0A 18 08 15 0001 6D 16 0001 64";
    V5 Server "u5:U5-3.4.2-b" PROTOCOL_ERROR "AUTH with Reason String twice"
        bad "F0 0E 18 0C 15 0001 6D 1F 0001 72 1F 0001 72"
        good "F0 0A 18 08 15 0001 6D 1F 0001 72";
    V5 Server "u5:U5-2.2.2-a" EITHER "Session Expiry Interval in AUTH"
        bad "F0 0B 18 09 15 0001 6D 11 00000001"
        good "F0 06 18 04 15 0001 6D";
    V5 Client "v5:MQTT-2.2.2-1" MALFORMED "AUTH without Property Length"
        bad "F0 01 18"
        good "F0 05 18 03 15 0000";
    V5 Server "v5:MQTT-1.5.4-2" MALFORMED "Authentication Method of AUTH with U+0000"
        bad "F0 08 18 06 15 0003 610062"
        good "F0 08 18 06 15 0003 612D62";
}
