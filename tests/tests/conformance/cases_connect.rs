//! Refusals of CONNECT: variable header, flags and payload. Its properties are in `cases_connect_properties`.

use super::refusal::prelude::*;

refusals! {
    V5 Client "v5:MQTT-3.1.4-1" MALFORMED "ends inside Keep Alive"
        bad "10 09 0004 4D515454 05 02 00"
        good "10 0D 0004 4D515454 05 02 003C 00 0000";
    V5 Client "v5:MQTT-3.1.4-1" MALFORMED "ends before the Connect Flags"
        bad "10 07 0004 4D515454 05"
        good "10 0D 0004 4D515454 05 02 003C 00 0000";
    V5 Client "v5:MQTT-3.1.4-1" MALFORMED "protocol name longer than the packet"
        bad "10 0D 000F 4D515454 05 02 003C 00 0000"
        good "10 0D 0004 4D515454 05 02 003C 00 0000";
    V5 Client "v5:MQTT-3.1.4-1" MALFORMED "a byte after the Password"
        bad "10 15 0004 4D515454 05 C2 003C 00 0001 63 0001 75 0001 70 00"
        good "10 14 0004 4D515454 05 C2 003C 00 0001 63 0001 75 0001 70";
    V5 Client "v5:MQTT-1.5.4-1" NAME "protocol name with ill-formed UTF-8"
        bad "10 0E 0004 4D5154FF 05 02 003C 00 0001 63"
        good "10 0E 0004 4D515454 05 02 003C 00 0001 63";
    V5 Client "v5:MQTT-3.1.2-1" VERSION "protocol name MQTS"
        bad "10 0E 0004 4D515453 05 02 003C 00 0001 63"
        good "10 0E 0004 4D515454 05 02 003C 00 0001 63";
    V5 Client "v5:MQTT-3.1.2-1" VERSION "protocol name mqtt in small letters"
        bad "10 0E 0004 6D717474 05 02 003C 00 0001 63"
        good "10 0E 0004 4D515454 05 02 003C 00 0001 63";
    V5 Client "v5:MQTT-1.5.4-2" MALFORMED "protocol name MQTT followed by U+0000"
        bad "10 0F 0005 4D51545400 05 02 003C 00 0001 63"
        good "10 0E 0004 4D515454 05 02 003C 00 0001 63";
    V5 Client "v5:MQTT-3.1.2-2" VERSION "protocol level 6"
        bad "10 0E 0004 4D515454 06 02 003C 00 0001 63"
        good "10 0E 0004 4D515454 05 02 003C 00 0001 63";
    V5 Client "v5:MQTT-3.1.2-2" VERSION "protocol level 0"
        bad "10 0E 0004 4D515454 00 02 003C 00 0001 63"
        good "10 0E 0004 4D515454 05 02 003C 00 0001 63";
    V5 Client "v5:MQTT-3.1.2-2" VERSION "protocol level 3 under the name MQTT"
        bad "10 0E 0004 4D515454 03 02 003C 00 0001 63"
        good "10 0E 0004 4D515454 05 02 003C 00 0001 63";
    V5 Client "v5:MQTT-3.1.2-3" MALFORMED "reserved bit 0 of the Connect Flags is 1"
        bad "10 0E 0004 4D515454 05 03 003C 00 0001 63"
        good "10 0E 0004 4D515454 05 02 003C 00 0001 63";
    V5 Client "v5:MQTT-3.1.2-11" EITHER "Will QoS 1 without Will Flag"
        bad "10 0E 0004 4D515454 05 0A 003C 00 0001 63"
        good "10 0E 0004 4D515454 05 02 003C 00 0001 63";
    V5 Client "v5:MQTT-3.1.2-11" EITHER "Will QoS 2 without Will Flag"
        bad "10 0E 0004 4D515454 05 12 003C 00 0001 63"
        good "10 0E 0004 4D515454 05 02 003C 00 0001 63";
    V5 Client "v5:MQTT-3.1.2-13" EITHER "Will Retain without Will Flag"
        bad "10 0E 0004 4D515454 05 22 003C 00 0001 63"
        good "10 0E 0004 4D515454 05 02 003C 00 0001 63";
    V5 Client "v5:MQTT-3.1.2-11" EITHER "Will QoS and Will Retain without Will Flag"
        bad "10 0E 0004 4D515454 05 2A 003C 00 0001 63"
        good "10 0E 0004 4D515454 05 02 003C 00 0001 63";
    V5 Client "v5:MQTT-3.1.2-12" MALFORMED "Will QoS 3"
        bad "10 15 0004 4D515454 05 1E 003C 00 0001 63 00 0001 74 0001 6D"
        good "10 15 0004 4D515454 05 16 003C 00 0001 63 00 0001 74 0001 6D";
    V5 Client "v5:MQTT-3.1.3-3" MALFORMED "no ClientID field at all"
        bad "10 0B 0004 4D515454 05 02 003C 00"
        good "10 0D 0004 4D515454 05 02 003C 00 0000";
    V5 Client "v5:MQTT-3.1.3-3" MALFORMED "one byte where the ClientID begins"
        bad "10 0C 0004 4D515454 05 02 003C 00 00"
        good "10 0D 0004 4D515454 05 02 003C 00 0000";
    V5 Client "v5:MQTT-3.1.3-1" MALFORMED "ClientID longer than the packet"
        bad "10 0E 0004 4D515454 05 02 003C 00 0002 63"
        good "10 0E 0004 4D515454 05 02 003C 00 0001 63";
    V5 Client "v5:MQTT-3.1.3-4" MALFORMED "ClientID with an unpaired continuation byte"
        bad "10 0E 0004 4D515454 05 02 003C 00 0001 80"
        good "10 0E 0004 4D515454 05 02 003C 00 0001 63";
    V5 Client "v5:MQTT-3.1.3-4" MALFORMED "ClientID with an overlong encoding"
        bad "10 0F 0004 4D515454 05 02 003C 00 0002 C0AF"
        good "10 0F 0004 4D515454 05 02 003C 00 0002 C3AF";
    V5 Client "v5:MQTT-3.1.3-4" MALFORMED "ClientID with an encoded surrogate"
        bad "10 10 0004 4D515454 05 02 003C 00 0003 EDA080"
        good "10 10 0004 4D515454 05 02 003C 00 0003 ED9FBB";
    V5 Client "v5:MQTT-1.5.4-2" MALFORMED "ClientID with U+0000"
        bad "10 10 0004 4D515454 05 02 003C 00 0003 610062"
        good "10 10 0004 4D515454 05 02 003C 00 0003 612D62";
    V5 Client "v5:MQTT-1.5.4-2" MALFORMED "User Name with U+0000"
        bad "10 13 0004 4D515454 05 82 003C 00 0001 63 0003 610062"
        good "10 13 0004 4D515454 05 82 003C 00 0001 63 0003 612D62";
    V5 Client "v5:MQTT-3.1.2-9" MALFORMED "Will Flag 1 and the packet ends after the ClientID"
        bad "10 0E 0004 4D515454 05 06 003C 00 0001 63"
        good "10 0E 0004 4D515454 05 02 003C 00 0001 63";
    V5 Client "v5:MQTT-3.1.2-9" MALFORMED "no Will Payload after the Will Topic"
        bad "10 12 0004 4D515454 05 06 003C 00 0001 63 00 0001 74"
        good "10 15 0004 4D515454 05 06 003C 00 0001 63 00 0001 74 0001 6D";
    V5 Client "v5:MQTT-3.1.2-9" MALFORMED "Will Topic longer than the packet"
        bad "10 15 0004 4D515454 05 06 003C 00 0001 63 00 0009 74 0001 6D"
        good "10 15 0004 4D515454 05 06 003C 00 0001 63 00 0001 74 0001 6D";
    V5 Client "v5:MQTT-3.1.2-9" MALFORMED "Will Payload longer than the packet"
        bad "10 15 0004 4D515454 05 06 003C 00 0001 63 00 0001 74 0002 6D"
        good "10 15 0004 4D515454 05 06 003C 00 0001 63 00 0001 74 0001 6D";
    V5 Client "v5:MQTT-3.1.2-9" MALFORMED "Will Properties longer than the packet"
        bad "10 15 0004 4D515454 05 06 003C 00 0001 63 09 0001 74 0001 6D"
        good "10 15 0004 4D515454 05 06 003C 00 0001 63 00 0001 74 0001 6D";
    V5 Client "v5:MQTT-3.1.3-11" MALFORMED "Will Topic with an unpaired continuation byte"
        bad "10 15 0004 4D515454 05 06 003C 00 0001 63 00 0001 80 0001 6D"
        good "10 15 0004 4D515454 05 06 003C 00 0001 63 00 0001 63 0001 6D";
    V5 Client "v5:MQTT-3.1.3-11" MALFORMED "Will Topic with an overlong encoding"
        bad "10 16 0004 4D515454 05 06 003C 00 0001 63 00 0002 C0AF 0001 6D"
        good "10 16 0004 4D515454 05 06 003C 00 0001 63 00 0002 C3AF 0001 6D";
    V5 Client "v5:MQTT-4.7.3-2" MALFORMED "Will Topic with U+0000"
        bad "10 17 0004 4D515454 05 06 003C 00 0001 63 00 0003 610062 0001 6D"
        good "10 17 0004 4D515454 05 06 003C 00 0001 63 00 0003 612D62 0001 6D";
    V5 Client "v5:MQTT-4.7.0-1" TOPIC "Will Topic with #"
        bad "10 17 0004 4D515454 05 06 003C 00 0001 63 00 0003 612F23 0001 6D"
        good "10 17 0004 4D515454 05 06 003C 00 0001 63 00 0003 612F62 0001 6D";
    V5 Client "v5:MQTT-4.7.0-1" TOPIC "Will Topic with +"
        bad "10 17 0004 4D515454 05 06 003C 00 0001 63 00 0003 612F2B 0001 6D"
        good "10 17 0004 4D515454 05 06 003C 00 0001 63 00 0003 612F62 0001 6D";
    V5 Client "v5:MQTT-4.7.3-1" TOPIC "empty Will Topic"
        bad "10 14 0004 4D515454 05 06 003C 00 0001 63 00 0000 0001 6D"
        good "10 15 0004 4D515454 05 06 003C 00 0001 63 00 0001 74 0001 6D";
    V5 Client "v5:MQTT-3.1.2-17" MALFORMED "User Name Flag 1 and the packet ends after the ClientID"
        bad "10 0E 0004 4D515454 05 82 003C 00 0001 63"
        good "10 0E 0004 4D515454 05 02 003C 00 0001 63";
    V5 Client "v5:MQTT-3.1.2-17" MALFORMED "User Name longer than the packet"
        bad "10 11 0004 4D515454 05 82 003C 00 0001 63 0002 75"
        good "10 11 0004 4D515454 05 82 003C 00 0001 63 0001 75";
    V5 Client "v5:MQTT-3.1.2-17" MALFORMED "one byte where the User Name begins"
        bad "10 0F 0004 4D515454 05 82 003C 00 0001 63 00"
        good "10 10 0004 4D515454 05 82 003C 00 0001 63 0000";
    V5 Client "v5:MQTT-3.1.3-12" MALFORMED "User Name with an encoded surrogate"
        bad "10 13 0004 4D515454 05 82 003C 00 0001 63 0003 EDA080"
        good "10 13 0004 4D515454 05 82 003C 00 0001 63 0003 ED9FBB";
    V5 Client "v5:MQTT-3.1.3-12" MALFORMED "User Name with a code point above U+10FFFF"
        bad "10 14 0004 4D515454 05 82 003C 00 0001 63 0004 F4908080"
        good "10 14 0004 4D515454 05 82 003C 00 0001 63 0004 F4808080";
    V5 Client "v5:MQTT-3.1.2-19" MALFORMED "Password Flag 1 and the packet ends after the User Name"
        bad "10 11 0004 4D515454 05 C2 003C 00 0001 63 0001 75"
        good "10 11 0004 4D515454 05 82 003C 00 0001 63 0001 75";
    V5 Client "v5:MQTT-3.1.2-19" MALFORMED "Password longer than the packet"
        bad "10 14 0004 4D515454 05 C2 003C 00 0001 63 0001 75 0002 70"
        good "10 14 0004 4D515454 05 C2 003C 00 0001 63 0001 75 0001 70";
    V5 Client "v5:MQTT-3.1.2-19" MALFORMED "Password Flag alone and the packet ends after the ClientID"
        bad "10 0E 0004 4D515454 05 42 003C 00 0001 63"
        good "10 10 0004 4D515454 05 42 003C 00 0001 63 0000";
    V5 Client "v5:MQTT-3.1.2-16" MALFORMED "a User Name with User Name Flag 0"
        bad "10 11 0004 4D515454 05 02 003C 00 0001 63 0001 75"
        good "10 11 0004 4D515454 05 82 003C 00 0001 63 0001 75";
    V5 Client "v5:MQTT-3.1.2-16" MALFORMED "a byte after the ClientID"
        bad "10 0F 0004 4D515454 05 02 003C 00 0001 63 00"
        good "10 0E 0004 4D515454 05 02 003C 00 0001 63";
    V5 Client "v5:MQTT-3.1.2-18" MALFORMED "a Password with Password Flag 0"
        bad "10 14 0004 4D515454 05 82 003C 00 0001 63 0001 75 0001 70"
        good "10 14 0004 4D515454 05 C2 003C 00 0001 63 0001 75 0001 70";
    V3_1_1 Client "v311:MQTT-3.1.4-1" MALFORMED "ends inside Keep Alive"
        bad "10 09 0004 4D515454 04 02 00"
        good "10 0C 0004 4D515454 04 02 003C 0000";
    V3_1_1 Client "v311:MQTT-3.1.4-1" MALFORMED "ends before the Connect Flags"
        bad "10 07 0004 4D515454 04"
        good "10 0C 0004 4D515454 04 02 003C 0000";
    V3_1_1 Client "v311:MQTT-3.1.4-1" MALFORMED "protocol name longer than the packet"
        bad "10 0C 000F 4D515454 04 02 003C 0000"
        good "10 0C 0004 4D515454 04 02 003C 0000";
    V3_1_1 Client "v311:MQTT-3.1.4-1" MALFORMED "a byte after the Password"
        bad "10 14 0004 4D515454 04 C2 003C 0001 63 0001 75 0001 70 00"
        good "10 13 0004 4D515454 04 C2 003C 0001 63 0001 75 0001 70";
    V3_1_1 Client "v311:MQTT-1.5.3-1" NAME "protocol name with ill-formed UTF-8"
        bad "10 0D 0004 4D5154FF 04 02 003C 0001 63"
        good "10 0D 0004 4D515454 04 02 003C 0001 63";
    V3_1_1 Client "v311:MQTT-3.1.2-1" VERSION "protocol name MQTS"
        bad "10 0D 0004 4D515453 04 02 003C 0001 63"
        good "10 0D 0004 4D515454 04 02 003C 0001 63";
    V3_1_1 Client "v311:MQTT-3.1.2-1" VERSION "protocol name mqtt in small letters"
        bad "10 0D 0004 6D717474 04 02 003C 0001 63"
        good "10 0D 0004 4D515454 04 02 003C 0001 63";
    V3_1_1 Client "v311:MQTT-1.5.3-2" MALFORMED "protocol name MQTT followed by U+0000"
        bad "10 0E 0005 4D51545400 04 02 003C 0001 63"
        good "10 0D 0004 4D515454 04 02 003C 0001 63";
    V3_1_1 Client "v311:MQTT-3.1.2-2" VERSION "protocol level 6"
        bad "10 0D 0004 4D515454 06 02 003C 0001 63"
        good "10 0D 0004 4D515454 04 02 003C 0001 63";
    V3_1_1 Client "v311:MQTT-3.1.2-2" VERSION "protocol level 0"
        bad "10 0D 0004 4D515454 00 02 003C 0001 63"
        good "10 0D 0004 4D515454 04 02 003C 0001 63";
    V3_1_1 Client "v311:MQTT-3.1.2-2" VERSION "protocol level 3 under the name MQTT"
        bad "10 0D 0004 4D515454 03 02 003C 0001 63"
        good "10 0D 0004 4D515454 04 02 003C 0001 63";
    V3_1_1 Client "v311:MQTT-3.1.2-3" MALFORMED "reserved bit 0 of the Connect Flags is 1"
        bad "10 0D 0004 4D515454 04 03 003C 0001 63"
        good "10 0D 0004 4D515454 04 02 003C 0001 63";
    V3_1_1 Client "v311:MQTT-3.1.2-13" EITHER "Will QoS 1 without Will Flag"
        bad "10 0D 0004 4D515454 04 0A 003C 0001 63"
        good "10 0D 0004 4D515454 04 02 003C 0001 63";
    V3_1_1 Client "v311:MQTT-3.1.2-13" EITHER "Will QoS 2 without Will Flag"
        bad "10 0D 0004 4D515454 04 12 003C 0001 63"
        good "10 0D 0004 4D515454 04 02 003C 0001 63";
    V3_1_1 Client "v311:MQTT-3.1.2-15" EITHER "Will Retain without Will Flag"
        bad "10 0D 0004 4D515454 04 22 003C 0001 63"
        good "10 0D 0004 4D515454 04 02 003C 0001 63";
    V3_1_1 Client "v311:MQTT-3.1.2-11" EITHER "Will QoS and Will Retain without Will Flag"
        bad "10 0D 0004 4D515454 04 2A 003C 0001 63"
        good "10 0D 0004 4D515454 04 02 003C 0001 63";
    V3_1_1 Client "v311:MQTT-3.1.2-14" MALFORMED "Will QoS 3"
        bad "10 13 0004 4D515454 04 1E 003C 0001 63 0001 74 0001 6D"
        good "10 13 0004 4D515454 04 16 003C 0001 63 0001 74 0001 6D";
    V3_1_1 Client "v311:MQTT-3.1.2-22" EITHER "Password Flag without User Name Flag"
        bad "10 10 0004 4D515454 04 42 003C 0001 63 0001 70"
        good "10 10 0004 4D515454 04 82 003C 0001 63 0001 70";
    V3_1_1 Client "v311:MQTT-3.1.3-3" MALFORMED "no ClientID field at all"
        bad "10 0A 0004 4D515454 04 02 003C"
        good "10 0C 0004 4D515454 04 02 003C 0000";
    V3_1_1 Client "v311:MQTT-3.1.3-3" MALFORMED "one byte where the ClientID begins"
        bad "10 0B 0004 4D515454 04 02 003C 00"
        good "10 0C 0004 4D515454 04 02 003C 0000";
    V3_1_1 Client "v311:MQTT-3.1.3-1" MALFORMED "ClientID longer than the packet"
        bad "10 0D 0004 4D515454 04 02 003C 0002 63"
        good "10 0D 0004 4D515454 04 02 003C 0001 63";
    V3_1_1 Client "v311:MQTT-3.1.3-4" MALFORMED "ClientID with an unpaired continuation byte"
        bad "10 0D 0004 4D515454 04 02 003C 0001 80"
        good "10 0D 0004 4D515454 04 02 003C 0001 63";
    V3_1_1 Client "v311:MQTT-3.1.3-4" MALFORMED "ClientID with an overlong encoding"
        bad "10 0E 0004 4D515454 04 02 003C 0002 C0AF"
        good "10 0E 0004 4D515454 04 02 003C 0002 C3AF";
    V3_1_1 Client "v311:MQTT-3.1.3-4" MALFORMED "ClientID with an encoded surrogate"
        bad "10 0F 0004 4D515454 04 02 003C 0003 EDA080"
        good "10 0F 0004 4D515454 04 02 003C 0003 ED9FBB";
    V3_1_1 Client "v311:MQTT-1.5.3-2" MALFORMED "ClientID with U+0000"
        bad "10 0F 0004 4D515454 04 02 003C 0003 610062"
        good "10 0F 0004 4D515454 04 02 003C 0003 612D62";
    V3_1_1 Client "v311:MQTT-1.5.3-2" MALFORMED "User Name with U+0000"
        bad "10 12 0004 4D515454 04 82 003C 0001 63 0003 610062"
        good "10 12 0004 4D515454 04 82 003C 0001 63 0003 612D62";
    V3_1_1 Client "v311:MQTT-3.1.2-9" MALFORMED "Will Flag 1 and the packet ends after the ClientID"
        bad "10 0D 0004 4D515454 04 06 003C 0001 63"
        good "10 0D 0004 4D515454 04 02 003C 0001 63";
    V3_1_1 Client "v311:MQTT-3.1.2-9" MALFORMED "no Will Payload after the Will Topic"
        bad "10 10 0004 4D515454 04 06 003C 0001 63 0001 74"
        good "10 13 0004 4D515454 04 06 003C 0001 63 0001 74 0001 6D";
    V3_1_1 Client "v311:MQTT-3.1.2-9" MALFORMED "Will Topic longer than the packet"
        bad "10 13 0004 4D515454 04 06 003C 0001 63 0009 74 0001 6D"
        good "10 13 0004 4D515454 04 06 003C 0001 63 0001 74 0001 6D";
    V3_1_1 Client "v311:MQTT-3.1.2-9" MALFORMED "Will Payload longer than the packet"
        bad "10 13 0004 4D515454 04 06 003C 0001 63 0001 74 0002 6D"
        good "10 13 0004 4D515454 04 06 003C 0001 63 0001 74 0001 6D";
    V3_1_1 Client "v311:MQTT-3.1.3-10" MALFORMED "Will Topic with an unpaired continuation byte"
        bad "10 13 0004 4D515454 04 06 003C 0001 63 0001 80 0001 6D"
        good "10 13 0004 4D515454 04 06 003C 0001 63 0001 63 0001 6D";
    V3_1_1 Client "v311:MQTT-3.1.3-10" MALFORMED "Will Topic with an overlong encoding"
        bad "10 14 0004 4D515454 04 06 003C 0001 63 0002 C0AF 0001 6D"
        good "10 14 0004 4D515454 04 06 003C 0001 63 0002 C3AF 0001 6D";
    V3_1_1 Client "v311:MQTT-4.7.3-2" MALFORMED "Will Topic with U+0000"
        bad "10 15 0004 4D515454 04 06 003C 0001 63 0003 610062 0001 6D"
        good "10 15 0004 4D515454 04 06 003C 0001 63 0003 612D62 0001 6D";
    V3_1_1 Client "v311:MQTT-4.7.1-1" TOPIC "Will Topic with #"
        bad "10 15 0004 4D515454 04 06 003C 0001 63 0003 612F23 0001 6D"
        good "10 15 0004 4D515454 04 06 003C 0001 63 0003 612F62 0001 6D";
    V3_1_1 Client "v311:MQTT-4.7.1-1" TOPIC "Will Topic with +"
        bad "10 15 0004 4D515454 04 06 003C 0001 63 0003 612F2B 0001 6D"
        good "10 15 0004 4D515454 04 06 003C 0001 63 0003 612F62 0001 6D";
    V3_1_1 Client "v311:MQTT-4.7.3-1" TOPIC "empty Will Topic"
        bad "10 12 0004 4D515454 04 06 003C 0001 63 0000 0001 6D"
        good "10 13 0004 4D515454 04 06 003C 0001 63 0001 74 0001 6D";
    V3_1_1 Client "v311:MQTT-3.1.2-19" MALFORMED "User Name Flag 1 and the packet ends after the ClientID"
        bad "10 0D 0004 4D515454 04 82 003C 0001 63"
        good "10 0D 0004 4D515454 04 02 003C 0001 63";
    V3_1_1 Client "v311:MQTT-3.1.2-19" MALFORMED "User Name longer than the packet"
        bad "10 10 0004 4D515454 04 82 003C 0001 63 0002 75"
        good "10 10 0004 4D515454 04 82 003C 0001 63 0001 75";
    V3_1_1 Client "v311:MQTT-3.1.2-19" MALFORMED "one byte where the User Name begins"
        bad "10 0E 0004 4D515454 04 82 003C 0001 63 00"
        good "10 0F 0004 4D515454 04 82 003C 0001 63 0000";
    V3_1_1 Client "v311:MQTT-3.1.3-11" MALFORMED "User Name with an encoded surrogate"
        bad "10 12 0004 4D515454 04 82 003C 0001 63 0003 EDA080"
        good "10 12 0004 4D515454 04 82 003C 0001 63 0003 ED9FBB";
    V3_1_1 Client "v311:MQTT-3.1.3-11" MALFORMED "User Name with a code point above U+10FFFF"
        bad "10 13 0004 4D515454 04 82 003C 0001 63 0004 F4908080"
        good "10 13 0004 4D515454 04 82 003C 0001 63 0004 F4808080";
    V3_1_1 Client "v311:MQTT-3.1.2-21" MALFORMED "Password Flag 1 and the packet ends after the User Name"
        bad "10 10 0004 4D515454 04 C2 003C 0001 63 0001 75"
        good "10 10 0004 4D515454 04 82 003C 0001 63 0001 75";
    V3_1_1 Client "v311:MQTT-3.1.2-21" MALFORMED "Password longer than the packet"
        bad "10 13 0004 4D515454 04 C2 003C 0001 63 0001 75 0002 70"
        good "10 13 0004 4D515454 04 C2 003C 0001 63 0001 75 0001 70";
    V3_1_1 Client "v311:MQTT-3.1.2-18" MALFORMED "a User Name with User Name Flag 0"
        bad "10 10 0004 4D515454 04 02 003C 0001 63 0001 75"
        good "10 10 0004 4D515454 04 82 003C 0001 63 0001 75";
    V3_1_1 Client "v311:MQTT-3.1.2-18" MALFORMED "a byte after the ClientID"
        bad "10 0E 0004 4D515454 04 02 003C 0001 63 00"
        good "10 0D 0004 4D515454 04 02 003C 0001 63";
    V3_1_1 Client "v311:MQTT-3.1.2-20" MALFORMED "a Password with Password Flag 0"
        bad "10 13 0004 4D515454 04 82 003C 0001 63 0001 75 0001 70"
        good "10 13 0004 4D515454 04 C2 003C 0001 63 0001 75 0001 70";
}
