//! Refusals of CONNECT that its properties and its Will Properties cause.

use super::refusal::prelude::*;

refusals! {
    V5 Client "v5:MQTT-2.2.2-1" MALFORMED "CONNECT without Property Length"
        bad "10 0A 0004 4D515454 05 02 003C"
        good "10 0D 0004 4D515454 05 02 003C 00 0000";
    V5 Client "u5:U5-3.1.2-a" PROTOCOL_ERROR "Session Expiry Interval twice"
        bad "10 17 0004 4D515454 05 02 003C 0A 11 0000001E 11 0000001E 0000"
        good "10 12 0004 4D515454 05 02 003C 05 11 0000001E 0000";
    V5 Client "u5:U5-3.1.2-b" PROTOCOL_ERROR "Receive Maximum twice"
        bad "10 13 0004 4D515454 05 02 003C 06 21 0014 21 0014 0000"
        good "10 10 0004 4D515454 05 02 003C 03 21 0014 0000";
    V5 Client "u5:U5-3.1.2-b" PROTOCOL_ERROR "Receive Maximum 0"
        bad "10 10 0004 4D515454 05 02 003C 03 21 0000 0000"
        good "10 10 0004 4D515454 05 02 003C 03 21 0001 0000";
    V5 Client "u5:U5-3.1.2-c" PROTOCOL_ERROR "Maximum Packet Size twice"
        bad "10 17 0004 4D515454 05 02 003C 0A 27 00000200 27 00000200 0000"
        good "10 12 0004 4D515454 05 02 003C 05 27 00000200 0000";
    V5 Client "u5:U5-3.1.2-c" PROTOCOL_ERROR "Maximum Packet Size 0"
        bad "10 12 0004 4D515454 05 02 003C 05 27 00000000 0000"
        good "10 12 0004 4D515454 05 02 003C 05 27 00000001 0000";
    V5 Client "u5:U5-3.1.2-d" PROTOCOL_ERROR "Topic Alias Maximum twice"
        bad "10 13 0004 4D515454 05 02 003C 06 22 0000 22 0000 0000"
        good "10 10 0004 4D515454 05 02 003C 03 22 0000 0000";
    V5 Client "u5:U5-3.1.2-e" PROTOCOL_ERROR "Request Response Information twice"
        bad "10 11 0004 4D515454 05 02 003C 04 19 00 19 01 0000"
        good "10 0F 0004 4D515454 05 02 003C 02 19 00 0000";
    V5 Client "u5:U5-3.1.2-e" PROTOCOL_ERROR "Request Response Information 2"
        bad "10 0F 0004 4D515454 05 02 003C 02 19 02 0000"
        good "10 0F 0004 4D515454 05 02 003C 02 19 01 0000";
    V5 Client "u5:U5-3.1.2-f" PROTOCOL_ERROR "Request Problem Information twice"
        bad "10 11 0004 4D515454 05 02 003C 04 17 01 17 01 0000"
        good "10 0F 0004 4D515454 05 02 003C 02 17 01 0000";
    V5 Client "u5:U5-3.1.2-f" PROTOCOL_ERROR "Request Problem Information 255"
        bad "10 0F 0004 4D515454 05 02 003C 02 17 FF 0000"
        good "10 0F 0004 4D515454 05 02 003C 02 17 00 0000";
    V5 Client "u5:U5-3.1.2-g" PROTOCOL_ERROR "Authentication Method twice"
        bad "10 15 0004 4D515454 05 02 003C 08 15 0001 6D 15 0001 6D 0000"
        good "10 11 0004 4D515454 05 02 003C 04 15 0001 6D 0000";
    V5 Client "u5:U5-3.1.2-h" PROTOCOL_ERROR "Authentication Data twice"
        bad "10 19 0004 4D515454 05 02 003C 0C 15 0001 6D 16 0001 64 16 0001 64 0000"
        good "10 15 0004 4D515454 05 02 003C 08 15 0001 6D 16 0001 64 0000";
    V5 Client "u5:U5-3.1.2-h" PROTOCOL_ERROR "Authentication Data without Authentication Method"
        bad "10 11 0004 4D515454 05 02 003C 04 16 0001 64 0000"
        good "10 15 0004 4D515454 05 02 003C 08 16 0001 64 15 0001 6D 0000";
    V5 Client "u5:U5-2.2.2-a" EITHER "property 0x7F, which does not exist"
        bad "10 10 0004 4D515454 05 02 003C 03 7F 0001 0000"
        good "10 10 0004 4D515454 05 02 003C 03 22 0001 0000";
    V5 Client "u5:U5-2.2.2-a" EITHER "property 0x00, which does not exist"
        bad "10 0F 0004 4D515454 05 02 003C 02 00 01 0000"
        good "10 0F 0004 4D515454 05 02 003C 02 17 01 0000";
    V5 Client "u5:U5-2.2.2-a" EITHER "Topic Alias in CONNECT"
        bad "10 10 0004 4D515454 05 02 003C 03 23 0001 0000"
        good "10 10 0004 4D515454 05 02 003C 03 22 0001 0000";
    V5 Client "u5:U5-2.2.2-a" EITHER "Will Delay Interval outside the Will Properties"
        bad "10 12 0004 4D515454 05 02 003C 05 18 00000001 0000"
        good "10 12 0004 4D515454 05 02 003C 05 11 00000001 0000";
    V5 Client "u5:U5-2.2.2-a" EITHER "Receive Maximum cut off at the end of the section"
        bad "10 0F 0004 4D515454 05 02 003C 02 21 00 0000"
        good "10 10 0004 4D515454 05 02 003C 03 21 0001 0000";
    V5 Client "u5:U5-2.2.2-a" EITHER "CONNECT whose properties are longer than the packet"
        bad "10 10 0004 4D515454 05 02 003C 09 21 0001 0000"
        good "10 10 0004 4D515454 05 02 003C 03 21 0001 0000";
    V5 Client "u5:U5-2.2.2-a" EITHER "Authentication Method longer than the section"
        bad "10 11 0004 4D515454 05 02 003C 04 15 0002 6D 0000"
        good "10 11 0004 4D515454 05 02 003C 04 15 0001 6D 0000";
    V5 Client "v5:MQTT-1.5.4-1" MALFORMED "Authentication Method with an unpaired continuation byte"
        bad "10 11 0004 4D515454 05 02 003C 04 15 0001 80 0000"
        good "10 11 0004 4D515454 05 02 003C 04 15 0001 6D 0000";
    V5 Client "v5:MQTT-1.5.4-2" MALFORMED "Authentication Method with U+0000"
        bad "10 13 0004 4D515454 05 02 003C 06 15 0003 610062 0000"
        good "10 13 0004 4D515454 05 02 003C 06 15 0003 612D62 0000";
    V5 Client "v5:MQTT-1.5.7-1" MALFORMED "name of a User Property with ill-formed UTF-8"
        bad "10 14 0004 4D515454 05 02 003C 07 26 0001 FF 0001 76 0000"
        good "10 14 0004 4D515454 05 02 003C 07 26 0001 6E 0001 76 0000";
    V5 Client "v5:MQTT-1.5.7-1" MALFORMED "value of a User Property with ill-formed UTF-8"
        bad "10 14 0004 4D515454 05 02 003C 07 26 0001 6E 0001 FF 0000"
        good "10 14 0004 4D515454 05 02 003C 07 26 0001 6E 0001 76 0000";
    V5 Client "v5:MQTT-1.5.7-1" MALFORMED "name of a User Property with U+0000"
        bad "10 16 0004 4D515454 05 02 003C 09 26 0003 610062 0001 76 0000"
        good "10 16 0004 4D515454 05 02 003C 09 26 0003 612D62 0001 76 0000";
    V5 Client "v5:MQTT-1.5.7-1" MALFORMED "value of a User Property with U+0000"
        bad "10 16 0004 4D515454 05 02 003C 09 26 0001 6E 0003 610062 0000"
        good "10 16 0004 4D515454 05 02 003C 09 26 0001 6E 0003 612D62 0000";
    V5 Client "u5:U5-3.1.3-a" PROTOCOL_ERROR "Will Delay Interval twice in the Will Properties"
        bad "10 1F 0004 4D515454 05 06 003C 00 0001 63 0A 18 00000005 18 00000005 0001 74 0001 6D"
        good "10 1A 0004 4D515454 05 06 003C 00 0001 63 05 18 00000005 0001 74 0001 6D";
    V5 Client "u5:U5-3.1.3-a" PROTOCOL_ERROR "Payload Format Indicator twice in the Will Properties"
        bad "10 19 0004 4D515454 05 06 003C 00 0001 63 04 01 01 01 01 0001 74 0001 6D"
        good "10 17 0004 4D515454 05 06 003C 00 0001 63 02 01 01 0001 74 0001 6D";
    V5 Client "u5:U5-3.1.3-a" PROTOCOL_ERROR "Message Expiry Interval twice in the Will Properties"
        bad "10 1F 0004 4D515454 05 06 003C 00 0001 63 0A 02 00000009 02 00000009 0001 74 0001 6D"
        good "10 1A 0004 4D515454 05 06 003C 00 0001 63 05 02 00000009 0001 74 0001 6D";
    V5 Client "u5:U5-3.1.3-a" PROTOCOL_ERROR "Content Type twice in the Will Properties"
        bad "10 1D 0004 4D515454 05 06 003C 00 0001 63 08 03 0001 78 03 0001 78 0001 74 0001 6D"
        good "10 19 0004 4D515454 05 06 003C 00 0001 63 04 03 0001 78 0001 74 0001 6D";
    V5 Client "u5:U5-3.1.3-a" PROTOCOL_ERROR "Response Topic twice in the Will Properties"
        bad "10 1D 0004 4D515454 05 06 003C 00 0001 63 08 08 0001 72 08 0001 72 0001 74 0001 6D"
        good "10 19 0004 4D515454 05 06 003C 00 0001 63 04 08 0001 72 0001 74 0001 6D";
    V5 Client "u5:U5-3.1.3-a" PROTOCOL_ERROR "Correlation Data twice in the Will Properties"
        bad "10 1D 0004 4D515454 05 06 003C 00 0001 63 08 09 0001 64 09 0001 64 0001 74 0001 6D"
        good "10 19 0004 4D515454 05 06 003C 00 0001 63 04 09 0001 64 0001 74 0001 6D";
    V5 Client "u5:U5-2.2.2-a" EITHER "Session Expiry Interval in the Will Properties"
        bad "10 1A 0004 4D515454 05 06 003C 00 0001 63 05 11 00000001 0001 74 0001 6D"
        good "10 1A 0004 4D515454 05 06 003C 00 0001 63 05 18 00000001 0001 74 0001 6D";
    V5 Client "u5:U5-2.2.2-a" EITHER "Payload Format Indicator 2 in the Will Properties"
        bad "10 17 0004 4D515454 05 06 003C 00 0001 63 02 01 02 0001 74 0001 6D"
        good "10 17 0004 4D515454 05 06 003C 00 0001 63 02 01 01 0001 74 0001 6D";
    V5 Client "v5:MQTT-3.3.2-13" MALFORMED "Response Topic of the will with ill-formed UTF-8"
        bad "10 19 0004 4D515454 05 06 003C 00 0001 63 04 08 0001 FF 0001 74 0001 6D"
        good "10 19 0004 4D515454 05 06 003C 00 0001 63 04 08 0001 72 0001 74 0001 6D";
    V5 Client "v5:MQTT-3.3.2-14" TOPIC "Response Topic of the will with #"
        bad "10 1B 0004 4D515454 05 06 003C 00 0001 63 06 08 0003 722F23 0001 74 0001 6D"
        good "10 1B 0004 4D515454 05 06 003C 00 0001 63 06 08 0003 722F73 0001 74 0001 6D";
    V5 Client "v5:MQTT-3.3.2-19" MALFORMED "Content Type of the will with ill-formed UTF-8"
        bad "10 19 0004 4D515454 05 06 003C 00 0001 63 04 03 0001 FF 0001 74 0001 6D"
        good "10 19 0004 4D515454 05 06 003C 00 0001 63 04 03 0001 78 0001 74 0001 6D";
}
