//! Refusals that the fixed header decides: type, reserved flags, Variable Byte Integers.

use super::refusal::prelude::*;

refusals! {
    V5 Client "v5:MQTT-2.1.3-1" MALFORMED "CONNECT with fixed-header flags 0001"
        bad "11 0D 0004 4D515454 05 02 003C 00 0000"
        good "10 0D 0004 4D515454 05 02 003C 00 0000";
    V5 Client "v5:MQTT-2.1.3-1" MALFORMED "CONNECT with fixed-header flags 1000"
        bad "18 0D 0004 4D515454 05 02 003C 00 0000"
        good "10 0D 0004 4D515454 05 02 003C 00 0000";
    V5 Server "v5:MQTT-2.1.3-1" MALFORMED "CONNACK with fixed-header flags 0010"
        bad "22 03 00 00 00"
        good "20 03 00 00 00";
    V5 Client "v5:MQTT-2.1.3-1" MALFORMED "PUBACK with fixed-header flags 0001"
        bad "41 02 0001"
        good "40 02 0001";
    V5 Client "v5:MQTT-2.1.3-1" MALFORMED "PUBACK with fixed-header flags 1000"
        bad "48 02 0001"
        good "40 02 0001";
    V5 Server "v5:MQTT-2.1.3-1" MALFORMED "PUBREC with fixed-header flags 0100"
        bad "54 02 0001"
        good "50 02 0001";
    V5 Client "v5:MQTT-2.1.3-1" MALFORMED "PUBCOMP with fixed-header flags 0010"
        bad "72 02 0001"
        good "70 02 0001";
    V5 Server "v5:MQTT-2.1.3-1" MALFORMED "SUBACK with fixed-header flags 0100"
        bad "94 04 0001 00 01"
        good "90 04 0001 00 01";
    V5 Server "v5:MQTT-2.1.3-1" MALFORMED "UNSUBACK with fixed-header flags 0100"
        bad "B4 04 0001 00 11"
        good "B0 04 0001 00 11";
    V5 Client "v5:MQTT-2.1.3-1" MALFORMED "PINGREQ with fixed-header flags 0010"
        bad "C2 00"
        good "C0 00";
    V5 Server "v5:MQTT-2.1.3-1" MALFORMED "PINGRESP with fixed-header flags 0100"
        bad "D4 00"
        good "D0 00";
    V3_1_1 Client "v311:MQTT-2.2.2-1" MALFORMED "CONNECT with fixed-header flags 0001"
        bad "11 0C 0004 4D515454 04 02 003C 0000"
        good "10 0C 0004 4D515454 04 02 003C 0000";
    V3_1_1 Server "v311:MQTT-2.2.2-1" MALFORMED "CONNACK with fixed-header flags 0001"
        bad "21 02 00 00"
        good "20 02 00 00";
    V3_1_1 Client "v311:MQTT-2.2.2-1" MALFORMED "PUBACK with fixed-header flags 0001"
        bad "41 02 0001"
        good "40 02 0001";
    V3_1_1 Server "v311:MQTT-2.2.2-1" MALFORMED "PUBREC with fixed-header flags 1000"
        bad "58 02 0001"
        good "50 02 0001";
    V3_1_1 Client "v311:MQTT-2.2.2-1" MALFORMED "PUBCOMP with fixed-header flags 0001"
        bad "71 02 0001"
        good "70 02 0001";
    V3_1_1 Server "v311:MQTT-2.2.2-1" MALFORMED "SUBACK with fixed-header flags 0001"
        bad "91 03 0001 01"
        good "90 03 0001 01";
    V3_1_1 Server "v311:MQTT-2.2.2-1" MALFORMED "UNSUBACK with fixed-header flags 0001"
        bad "B1 02 0001"
        good "B0 02 0001";
    V3_1_1 Client "v311:MQTT-2.2.2-2" MALFORMED "PINGREQ with fixed-header flags 0100"
        bad "C4 00"
        good "C0 00";
    V3_1_1 Server "v311:MQTT-2.2.2-2" MALFORMED "PINGRESP with fixed-header flags 0010"
        bad "D2 00"
        good "D0 00";
    V5 Client "v5:MQTT-3.6.1-1" MALFORMED "PUBREL with fixed-header flags 0000"
        bad "60 02 0001"
        good "62 02 0001";
    V5 Client "v5:MQTT-3.6.1-1" MALFORMED "PUBREL with fixed-header flags 1010"
        bad "6A 02 0001"
        good "62 02 0001";
    V5 Client "v5:MQTT-3.8.1-1" MALFORMED "SUBSCRIBE with fixed-header flags 0000"
        bad "80 07 0001 00 0001 61 00"
        good "82 07 0001 00 0001 61 00";
    V5 Client "v5:MQTT-3.8.1-1" MALFORMED "SUBSCRIBE with fixed-header flags 0011"
        bad "83 07 0001 00 0001 61 00"
        good "82 07 0001 00 0001 61 00";
    V5 Client "v5:MQTT-3.10.1-1" MALFORMED "UNSUBSCRIBE with fixed-header flags 0000"
        bad "A0 06 0001 00 0001 61"
        good "A2 06 0001 00 0001 61";
    V5 Client "v5:MQTT-3.10.1-1" MALFORMED "UNSUBSCRIBE with fixed-header flags 0110"
        bad "A6 06 0001 00 0001 61"
        good "A2 06 0001 00 0001 61";
    V5 Client "v5:MQTT-3.14.1-1" MALFORMED "DISCONNECT with fixed-header flags 0001"
        bad "E1 00"
        good "E0 00";
    V3_1_1 Client "v311:MQTT-3.6.1-1" MALFORMED "PUBREL with fixed-header flags 0000"
        bad "60 02 0001"
        good "62 02 0001";
    V3_1_1 Client "v311:MQTT-3.6.1-1" MALFORMED "PUBREL with fixed-header flags 1010"
        bad "6A 02 0001"
        good "62 02 0001";
    V3_1_1 Client "v311:MQTT-3.8.1-1" MALFORMED "SUBSCRIBE with fixed-header flags 0000"
        bad "80 06 0001 0001 61 00"
        good "82 06 0001 0001 61 00";
    V3_1_1 Client "v311:MQTT-3.8.1-1" MALFORMED "SUBSCRIBE with fixed-header flags 0011"
        bad "83 06 0001 0001 61 00"
        good "82 06 0001 0001 61 00";
    V3_1_1 Client "v311:MQTT-3.10.1-1" MALFORMED "UNSUBSCRIBE with fixed-header flags 0000"
        bad "A0 05 0001 0001 61"
        good "A2 05 0001 0001 61";
    V3_1_1 Client "v311:MQTT-3.10.1-1" MALFORMED "UNSUBSCRIBE with fixed-header flags 0110"
        bad "A6 05 0001 0001 61"
        good "A2 05 0001 0001 61";
    V3_1_1 Client "v311:MQTT-3.14.1-1" MALFORMED "DISCONNECT with fixed-header flags 0001"
        bad "E1 00"
        good "E0 00";
    V5 Server "v5:MQTT-3.14.1-1" MALFORMED "DISCONNECT with fixed-header flags 1000"
        bad "E8 00"
        good "E0 00";
    V5 Client "v5:MQTT-3.15.1-1" MALFORMED "AUTH with fixed-header flags 0010"
        bad "F2 06 18 04 15 0001 6D"
        good "F0 06 18 04 15 0001 6D";
    V5 Client "u5:U5-2.1.2-a" MALFORMED "packet type 0"
        bad "00 00"
        good "C0 00";
    V3_1_1 Client "u5:U5-2.1.2-a" MALFORMED "packet type 0"
        bad "00 00"
        good "C0 00";
    V3_1_1 Client "u5:U5-2.1.2-a" MALFORMED "packet type 15 in 3.1.1"
        bad "F0 00"
        good "E0 00";
    V5 Client "u5:U5-1.5.5-a" MALFORMED "Remaining Length with a continuation bit in byte 4"
        bad "C0 80 80 80 80"
        good "C0 00";
    V5 Client "u5:U5-1.5.5-a" MALFORMED "Remaining Length of five bytes"
        bad "C0 80 80 80 80 00"
        good "C0 00";
    V3_1_1 Client "u5:U5-1.5.5-a" MALFORMED "Remaining Length with a continuation bit in byte 4"
        bad "C0 80 80 80 80"
        good "C0 00";
    V3_1_1 Client "u5:U5-1.5.5-a" MALFORMED "Remaining Length of five bytes"
        bad "C0 80 80 80 80 00"
        good "C0 00";
    V5 Client "u5:U5-1.5.5-a" MALFORMED "Property Length of five bytes"
        bad "30 08 0001 74 80 80 80 80 00"
        good "30 04 0001 74 00";
    V5 Server "u5:U5-1.5.5-a" MALFORMED "Subscription Identifier of five bytes"
        bad "30 0A 0001 74 06 0B 81 80 80 81 00"
        good "30 09 0001 74 05 0B 81 80 80 01";
    V5 Client "v5:MQTT-1.5.5-1" MALFORMED "Remaining Length 0 padded to two bytes"
        bad "C0 80 00"
        good "C0 00";
    V5 Client "v5:MQTT-1.5.5-1" MALFORMED "Property Length 0 padded to two bytes"
        bad "30 05 0001 74 80 00"
        good "30 04 0001 74 00";
    V5 Client "v5:MQTT-1.5.5-1" MALFORMED "Property Length 2 padded to four bytes"
        bad "30 09 0001 74 82 80 80 00 01 01"
        good "30 06 0001 74 02 01 01";
    V5 Server "v5:MQTT-1.5.5-1" MALFORMED "Subscription Identifier 1 padded to two bytes"
        bad "30 07 0001 74 03 0B 81 00"
        good "30 06 0001 74 02 0B 01";
    V5 Server "v5:MQTT-1.5.5-1" MALFORMED "Subscription Identifier 128 padded to three bytes"
        bad "30 08 0001 74 04 0B 80 81 00"
        good "30 07 0001 74 03 0B 8001";
}
