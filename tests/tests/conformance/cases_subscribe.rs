//! Refusals of SUBSCRIBE.

use super::refusal::prelude::*;

refusals! {
    V5 Client "v5:MQTT-3.8.3-2" PROTOCOL_ERROR "no Topic Filter"
        bad "82 03 0001 00"
        good "82 07 0001 00 0001 61 00";
    V5 Client "v5:MQTT-3.8.3-2" EITHER "no options after the Topic Filter"
        bad "82 06 0001 00 0001 61"
        good "82 07 0001 00 0001 61 00";
    V5 Client "v5:MQTT-3.8.3-2" EITHER "no options after the second Topic Filter"
        bad "82 0A 0001 00 0001 61 00 0001 62"
        good "82 0B 0001 00 0001 61 00 0001 62 00";
    V5 Client "v5:MQTT-3.8.3-1" MALFORMED "Topic Filter with an unpaired continuation byte"
        bad "82 07 0001 00 0001 80 00"
        good "82 07 0001 00 0001 63 00";
    V5 Client "v5:MQTT-3.8.3-1" MALFORMED "Topic Filter with an overlong encoding"
        bad "82 08 0001 00 0002 C0AF 00"
        good "82 08 0001 00 0002 C3AF 00";
    V5 Client "v5:MQTT-3.8.3-1" MALFORMED "Topic Filter with an encoded surrogate"
        bad "82 09 0001 00 0003 EDA080 00"
        good "82 09 0001 00 0003 ED9FBB 00";
    V5 Client "v5:MQTT-3.8.3-1" MALFORMED "second Topic Filter with ill-formed UTF-8"
        bad "82 0B 0001 00 0001 61 00 0001 FF 00"
        good "82 0B 0001 00 0001 61 00 0001 62 00";
    V5 Client "v5:MQTT-3.8.3-1" MALFORMED "Topic Filter longer than the packet"
        bad "82 07 0001 00 0003 61 00"
        good "82 07 0001 00 0001 61 00";
    V5 Client "v5:MQTT-3.8.3-1" MALFORMED "one byte where the second Topic Filter begins"
        bad "82 08 0001 00 0001 61 00 00"
        good "82 07 0001 00 0001 61 00";
    V5 Client "v5:MQTT-4.7.3-2" MALFORMED "Topic Filter with U+0000"
        bad "82 09 0001 00 0003 610062 00"
        good "82 09 0001 00 0003 612D62 00";
    V5 Client "v5:MQTT-4.7.3-1" FILTER "empty Topic Filter"
        bad "82 06 0001 00 0000 00"
        good "82 07 0001 00 0001 61 00";
    V5 Client "v5:MQTT-4.7.1-1" FILTER "Topic Filter a#"
        bad "82 08 0001 00 0002 6123 00"
        good "82 09 0001 00 0003 612F23 00";
    V5 Client "v5:MQTT-4.7.1-1" FILTER "Topic Filter #/a"
        bad "82 09 0001 00 0003 232F61 00"
        good "82 07 0001 00 0001 23 00";
    V5 Client "v5:MQTT-4.7.1-1" FILTER "Topic Filter a/#/b"
        bad "82 0B 0001 00 0005 612F232F62 00"
        good "82 0B 0001 00 0005 612F2B2F62 00";
    V5 Client "v5:MQTT-4.7.1-1" FILTER "Topic Filter ##"
        bad "82 08 0001 00 0002 2323 00"
        good "82 07 0001 00 0001 23 00";
    V5 Client "v5:MQTT-4.7.1-1" FILTER "Topic Filter /#b"
        bad "82 09 0001 00 0003 2F2362 00"
        good "82 08 0001 00 0002 2F23 00";
    V5 Client "v5:MQTT-4.7.1-1" FILTER "Topic Filter +/#b"
        bad "82 0A 0001 00 0004 2B2F2362 00"
        good "82 09 0001 00 0003 2B2F23 00";
    V5 Client "v5:MQTT-4.7.1-2" FILTER "Topic Filter a+"
        bad "82 08 0001 00 0002 612B 00"
        good "82 09 0001 00 0003 612F2B 00";
    V5 Client "v5:MQTT-4.7.1-2" FILTER "Topic Filter +a"
        bad "82 08 0001 00 0002 2B61 00"
        good "82 09 0001 00 0003 2B2F61 00";
    V5 Client "v5:MQTT-4.7.1-2" FILTER "Topic Filter a/b+/c"
        bad "82 0C 0001 00 0006 612F622B2F63 00"
        good "82 0B 0001 00 0005 612F2B2F63 00";
    V5 Client "v5:MQTT-4.7.1-2" FILTER "Topic Filter ++"
        bad "82 08 0001 00 0002 2B2B 00"
        good "82 07 0001 00 0001 2B 00";
    V5 Client "v5:MQTT-4.7.1-2" FILTER "Topic Filter /+b"
        bad "82 09 0001 00 0003 2F2B62 00"
        good "82 08 0001 00 0002 2F2B 00";
    V5 Client "v5:MQTT-2.2.1-3" EITHER "Packet Identifier 0"
        bad "82 07 0000 00 0001 61 00"
        good "82 07 0001 00 0001 61 00";
    V5 Client "v5:MQTT-2.2.1-3" EITHER "one byte of Packet Identifier"
        bad "82 01 00"
        good "82 07 0001 00 0001 61 00";
    V3_1_1 Client "v311:MQTT-3.8.3-3" PROTOCOL_ERROR "no Topic Filter"
        bad "82 02 0001"
        good "82 06 0001 0001 61 00";
    V3_1_1 Client "v311:MQTT-3.8.3-3" EITHER "no options after the Topic Filter"
        bad "82 05 0001 0001 61"
        good "82 06 0001 0001 61 00";
    V3_1_1 Client "v311:MQTT-3.8.3-3" EITHER "no options after the second Topic Filter"
        bad "82 09 0001 0001 61 00 0001 62"
        good "82 0A 0001 0001 61 00 0001 62 00";
    V3_1_1 Client "v311:MQTT-3.8.3-1" MALFORMED "Topic Filter with an unpaired continuation byte"
        bad "82 06 0001 0001 80 00"
        good "82 06 0001 0001 63 00";
    V3_1_1 Client "v311:MQTT-3.8.3-1" MALFORMED "Topic Filter with an overlong encoding"
        bad "82 07 0001 0002 C0AF 00"
        good "82 07 0001 0002 C3AF 00";
    V3_1_1 Client "v311:MQTT-3.8.3-1" MALFORMED "Topic Filter with an encoded surrogate"
        bad "82 08 0001 0003 EDA080 00"
        good "82 08 0001 0003 ED9FBB 00";
    V3_1_1 Client "v311:MQTT-3.8.3-1" MALFORMED "second Topic Filter with ill-formed UTF-8"
        bad "82 0A 0001 0001 61 00 0001 FF 00"
        good "82 0A 0001 0001 61 00 0001 62 00";
    V3_1_1 Client "v311:MQTT-3.8.3-1" MALFORMED "Topic Filter longer than the packet"
        bad "82 06 0001 0003 61 00"
        good "82 06 0001 0001 61 00";
    V3_1_1 Client "v311:MQTT-3.8.3-1" MALFORMED "one byte where the second Topic Filter begins"
        bad "82 07 0001 0001 61 00 00"
        good "82 06 0001 0001 61 00";
    V3_1_1 Client "v311:MQTT-4.7.3-2" MALFORMED "Topic Filter with U+0000"
        bad "82 08 0001 0003 610062 00"
        good "82 08 0001 0003 612D62 00";
    V3_1_1 Client "v311:MQTT-4.7.3-1" FILTER "empty Topic Filter"
        bad "82 05 0001 0000 00"
        good "82 06 0001 0001 61 00";
    V3_1_1 Client "v311:MQTT-4.7.1-2" FILTER "Topic Filter a#"
        bad "82 07 0001 0002 6123 00"
        good "82 08 0001 0003 612F23 00";
    V3_1_1 Client "v311:MQTT-4.7.1-2" FILTER "Topic Filter #/a"
        bad "82 08 0001 0003 232F61 00"
        good "82 06 0001 0001 23 00";
    V3_1_1 Client "v311:MQTT-4.7.1-2" FILTER "Topic Filter a/#/b"
        bad "82 0A 0001 0005 612F232F62 00"
        good "82 0A 0001 0005 612F2B2F62 00";
    V3_1_1 Client "v311:MQTT-4.7.1-2" FILTER "Topic Filter ##"
        bad "82 07 0001 0002 2323 00"
        good "82 06 0001 0001 23 00";
    V3_1_1 Client "v311:MQTT-4.7.1-2" FILTER "Topic Filter /#b"
        bad "82 08 0001 0003 2F2362 00"
        good "82 07 0001 0002 2F23 00";
    V3_1_1 Client "v311:MQTT-4.7.1-2" FILTER "Topic Filter +/#b"
        bad "82 09 0001 0004 2B2F2362 00"
        good "82 08 0001 0003 2B2F23 00";
    V3_1_1 Client "v311:MQTT-4.7.1-3" FILTER "Topic Filter a+"
        bad "82 07 0001 0002 612B 00"
        good "82 08 0001 0003 612F2B 00";
    V3_1_1 Client "v311:MQTT-4.7.1-3" FILTER "Topic Filter +a"
        bad "82 07 0001 0002 2B61 00"
        good "82 08 0001 0003 2B2F61 00";
    V3_1_1 Client "v311:MQTT-4.7.1-3" FILTER "Topic Filter a/b+/c"
        bad "82 0B 0001 0006 612F622B2F63 00"
        good "82 0A 0001 0005 612F2B2F63 00";
    V3_1_1 Client "v311:MQTT-4.7.1-3" FILTER "Topic Filter ++"
        bad "82 07 0001 0002 2B2B 00"
        good "82 06 0001 0001 2B 00";
    V3_1_1 Client "v311:MQTT-4.7.1-3" FILTER "Topic Filter /+b"
        bad "82 08 0001 0003 2F2B62 00"
        good "82 07 0001 0002 2F2B 00";
    V3_1_1 Client "v311:MQTT-2.3.1-1" EITHER "Packet Identifier 0"
        bad "82 06 0000 0001 61 00"
        good "82 06 0001 0001 61 00";
    V3_1_1 Client "v311:MQTT-2.3.1-1" EITHER "one byte of Packet Identifier"
        bad "82 01 00"
        good "82 06 0001 0001 61 00";
    V3_1_1 Client "v311:MQTT-3.8.3-4" EITHER "requested QoS byte 0x03"
        bad "82 06 0001 0001 61 03"
        good "82 06 0001 0001 61 02";
    V3_1_1 Client "v311:MQTT-3.8.3-4" MALFORMED "requested QoS byte 0x04"
        bad "82 06 0001 0001 61 04"
        good "82 06 0001 0001 61 00";
    V3_1_1 Client "v311:MQTT-3.8.3-4" MALFORMED "requested QoS byte 0x08"
        bad "82 06 0001 0001 61 08"
        good "82 06 0001 0001 61 00";
    V3_1_1 Client "v311:MQTT-3.8.3-4" MALFORMED "requested QoS byte 0x40"
        bad "82 06 0001 0001 61 40"
        good "82 06 0001 0001 61 00";
    V3_1_1 Client "v311:MQTT-3.8.3-4" MALFORMED "requested QoS byte 0x80"
        bad "82 06 0001 0001 61 80"
        good "82 06 0001 0001 61 00";
    V5 Client "v5:MQTT-4.8.2-1" FILTER "Topic Filter $share//a"
        bad "82 0F 0001 00 0009 2473686172652F2F61 00"
        good "82 10 0001 00 000A 2473686172652F672F61 00";
    V5 Client "v5:MQTT-4.8.2-1" FILTER "Topic Filter $share/"
        bad "82 0D 0001 00 0007 2473686172652F 00"
        good "82 0C 0001 00 0006 247368617265 00";
    V5 Client "v5:MQTT-4.8.2-2" FILTER "Topic Filter $share/g"
        bad "82 0E 0001 00 0008 2473686172652F67 00"
        good "82 10 0001 00 000A 2473686172652F672F61 00";
    V5 Client "v5:MQTT-4.8.2-2" FILTER "Topic Filter $share/g/"
        bad "82 0F 0001 00 0009 2473686172652F672F 00"
        good "82 10 0001 00 000A 2473686172652F672F61 00";
    V5 Client "v5:MQTT-4.8.2-2" FILTER "Topic Filter $share/g+/a"
        bad "82 11 0001 00 000B 2473686172652F672B2F61 00"
        good "82 11 0001 00 000B 2473686172652F67672F61 00";
    V5 Client "v5:MQTT-4.8.2-2" FILTER "Topic Filter $share/#/a"
        bad "82 10 0001 00 000A 2473686172652F232F61 00"
        good "82 10 0001 00 000A 2473686172652F672F61 00";
    V5 Client "v5:MQTT-4.7.1-1" FILTER "Topic Filter $share/g/a#"
        bad "82 11 0001 00 000B 2473686172652F672F6123 00"
        good "82 12 0001 00 000C 2473686172652F672F612F23 00";
    V5 Client "v5:MQTT-4.7.1-2" FILTER "Topic Filter $share/g/a+"
        bad "82 11 0001 00 000B 2473686172652F672F612B 00"
        good "82 12 0001 00 000C 2473686172652F672F612F2B 00";
    V5 Client "v5:MQTT-3.8.3-4" PROTOCOL_ERROR "No Local on a shared filter"
        bad "82 10 0001 00 000A 2473686172652F672F61 04"
        good "82 10 0001 00 000A 2473686172652F672F61 00";
    V5 Client "v5:MQTT-3.8.3-5" MALFORMED "bit 6 of the Subscription Options"
        bad "82 07 0001 00 0001 61 40"
        good "82 07 0001 00 0001 61 00";
    V5 Client "v5:MQTT-3.8.3-5" MALFORMED "bit 7 of the Subscription Options"
        bad "82 07 0001 00 0001 61 80"
        good "82 07 0001 00 0001 61 00";
    V5 Client "u5:U5-3.8.3-a" EITHER "Maximum QoS 3"
        bad "82 07 0001 00 0001 61 03"
        good "82 07 0001 00 0001 61 02";
    V5 Client "u5:U5-3.8.3-b" EITHER "Retain Handling 3"
        bad "82 07 0001 00 0001 61 30"
        good "82 07 0001 00 0001 61 20";
    V5 Client "u5:U5-3.8.2-a" PROTOCOL_ERROR "Subscription Identifier twice"
        bad "82 0B 0001 04 0B 01 0B 02 0001 61 00"
        good "82 09 0001 02 0B 01 0001 61 00";
    V5 Client "u5:U5-3.8.2-a" PROTOCOL_ERROR "Subscription Identifier 0"
        bad "82 09 0001 02 0B 00 0001 61 00"
        good "82 09 0001 02 0B 01 0001 61 00";
    V5 Client "v5:MQTT-2.2.2-1" MALFORMED "SUBSCRIBE without Property Length"
        bad "82 02 0001"
        good "82 07 0001 00 0001 61 00";
    V5 Client "u5:U5-2.2.2-a" EITHER "Reason String in SUBSCRIBE"
        bad "82 0A 0001 03 1F 0000 0001 61 00"
        good "82 09 0001 02 0B 01 0001 61 00";
    V5 Client "v5:MQTT-1.5.7-1" MALFORMED "User Property with U+0000"
        bad "82 10 0001 09 26 0001 6E 0003 610062 0001 61 00"
        good "82 10 0001 09 26 0001 6E 0003 612D62 0001 61 00";
}
