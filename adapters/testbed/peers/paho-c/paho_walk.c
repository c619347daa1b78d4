/* Everything that a client does, with Paho's client in C: paho-walk PORT VERSION [shared] [ca=FILE] */
#include <MQTTClient.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SOON_MS = 20000, MEBIBYTE = 1 << 20 };

static char **arguments;
static const char *port, *authority;
static int version;
static bool has_shared;

#define CHECK(is_so) do { \
        if (!(is_so)) { fprintf(stderr, "%s, line %d: not so: %s\n", __func__, __LINE__, #is_so); exit(1); } \
    } while (0)

/* A client, and what it heard last. */
struct walker {
    MQTTClient client;
    bool session_present, has_assigned_name;
    char *topic;
    MQTTClient_message *message;
};

struct will { const char *payload; int qos; };

static struct walker enter_with(const char *name, bool is_lasting, bool is_resumed, struct will left) {
    struct walker walker = {0};
    char url[64];
    snprintf(url, sizeof url, "%s://127.0.0.1:%s", authority ? "ssl" : "tcp", port);
    MQTTClient_createOptions creating = MQTTClient_createOptions_initializer;
    creating.MQTTVersion = version;
    CHECK(!MQTTClient_createWithOptions(&walker.client, url, name, MQTTCLIENT_PERSISTENCE_NONE, NULL, &creating));

    MQTTClient_connectOptions before_five = MQTTClient_connectOptions_initializer;
    MQTTClient_connectOptions five = MQTTClient_connectOptions_initializer5;
    MQTTClient_connectOptions options = version == MQTTVERSION_5 ? five : before_five;
    MQTTClient_willOptions will = MQTTClient_willOptions_initializer;
    MQTTClient_SSLOptions tls = MQTTClient_SSLOptions_initializer;
    options.MQTTVersion = version;
    /* A full window is waited for in steps of 100 ms. */
    options.reliable = 0;
    options.maxInflightMessages = 60;
    options.connectTimeout = SOON_MS / 1000;
    if (left.payload) {
        will.topicName = "gone";
        will.message = left.payload;
        will.qos = left.qos;
        options.will = &will;
    }
    if (authority) {
        tls.trustStore = authority;
        tls.verify = 1;
        options.ssl = &tls;
    }
    if (version == MQTTVERSION_5) {
        MQTTProperties properties = MQTTProperties_initializer;
        MQTTProperty expiry = {.identifier = MQTTPROPERTY_CODE_SESSION_EXPIRY_INTERVAL};
        expiry.value.integer4 = is_lasting ? 600 : 0;
        MQTTProperties_add(&properties, &expiry);
        options.cleanstart = !is_resumed;
        MQTTResponse answer = MQTTClient_connect5(walker.client, &options, &properties, NULL);
        CHECK(answer.reasonCode == MQTTREASONCODE_SUCCESS);
        walker.has_assigned_name = answer.properties
            && MQTTProperties_hasProperty(answer.properties, MQTTPROPERTY_CODE_ASSIGNED_CLIENT_IDENTIFER);
        MQTTResponse_free(answer);
        MQTTProperties_free(&properties);
    } else {
        options.cleansession = !is_lasting;
        CHECK(!MQTTClient_connect(walker.client, &options));
    }
    walker.session_present = options.returned.sessionPresent;
    return walker;
}

static struct walker enter(const char *name) {
    return enter_with(name, false, false, (struct will){0});
}

static void forget(struct walker *walker) {
    if (walker->message) {
        MQTTClient_free(walker->topic);
        MQTTClient_freeMessage(&walker->message);
    }
}

static void leave(struct walker *walker) {
    forget(walker);
    if (version == MQTTVERSION_5) {
        CHECK(!MQTTClient_disconnect5(walker->client, SOON_MS, MQTTREASONCODE_NORMAL_DISCONNECTION, NULL));
    } else {
        CHECK(!MQTTClient_disconnect(walker->client, SOON_MS));
    }
    MQTTClient_destroy(&walker->client);
}

static bool hears(struct walker *walker, int within_ms) {
    int length;
    forget(walker);
    CHECK(!MQTTClient_receive(walker->client, &walker->topic, &length, &walker->message, within_ms));
    return walker->message;
}

static void hear(struct walker *walker) {
    CHECK(hears(walker, SOON_MS));
}

static void hear_this(struct walker *walker, const void *payload, int length, int qos, bool is_retained) {
    hear(walker);
    MQTTClient_message *message = walker->message;
    CHECK(message->payloadlen == length && !memcmp(message->payload, payload, length));
    CHECK(message->qos == qos && message->retained == is_retained);
}

static void hear_text(struct walker *walker, const char *text, int qos, bool is_retained) {
    hear_this(walker, text, strlen(text), qos, is_retained);
}

static int number_heard(struct walker *walker) {
    char text[16] = "";
    CHECK(walker->message->payloadlen < (int)sizeof text);
    memcpy(text, walker->message->payload, walker->message->payloadlen);
    return atoi(text);
}

static void subscribe(struct walker *walker, const char *filter, int qos) {
    if (version == MQTTVERSION_5) {
        MQTTResponse answer = MQTTClient_subscribe5(walker->client, filter, qos, NULL, NULL);
        CHECK((int)answer.reasonCode == qos);
        MQTTResponse_free(answer);
    } else {
        CHECK(!MQTTClient_subscribe(walker->client, filter, qos));
    }
}

static void unsubscribe(struct walker *walker, const char *filter) {
    if (version == MQTTVERSION_5) {
        MQTTResponse answer = MQTTClient_unsubscribe5(walker->client, filter, NULL);
        CHECK(answer.reasonCode == MQTTREASONCODE_SUCCESS);
        MQTTResponse_free(answer);
    } else {
        CHECK(!MQTTClient_unsubscribe(walker->client, filter));
    }
}

/* Only begins to publish it. */
static MQTTClient_deliveryToken send(struct walker *walker, const char *topic, MQTTClient_message *message) {
    MQTTClient_deliveryToken token;
    if (version == MQTTVERSION_5) {
        MQTTResponse answer = MQTTClient_publishMessage5(walker->client, topic, message, &token);
        CHECK(answer.reasonCode == MQTTREASONCODE_SUCCESS);
        MQTTResponse_free(answer);
    } else {
        CHECK(!MQTTClient_publishMessage(walker->client, topic, message, &token));
    }
    return token;
}

static MQTTClient_message message_of(const void *payload, int length, int qos) {
    MQTTClient_message message = MQTTClient_message_initializer;
    message.payload = (void *)payload;
    message.payloadlen = length;
    message.qos = qos;
    return message;
}

static void publish(struct walker *walker, const char *topic, MQTTClient_message message) {
    MQTTClient_deliveryToken token = send(walker, topic, &message);
    CHECK(message.qos == 0 || !MQTTClient_waitForCompletion(walker->client, token, SOON_MS));
}

static void publish_text(struct walker *walker, const char *topic, const char *text, int qos) {
    publish(walker, topic, message_of(text, strlen(text), qos));
}

/* The numbers up to this one, in these levels in turn, until the last has arrived. */
static void publish_numbers(struct walker *walker, const char *topic, int end, int even_qos, int odd_qos) {
    for (int number = 0; number < end; number++) {
        char text[16];
        snprintf(text, sizeof text, "%d", number);
        MQTTClient_message message = message_of(text, strlen(text), number % 2 ? odd_qos : even_qos);
        MQTTClient_deliveryToken token = send(walker, topic, &message);
        bool is_told = message.qos > 0 && number == end - 1;
        CHECK(!is_told || !MQTTClient_waitForCompletion(walker->client, token, SOON_MS));
    }
}

static void keep(struct walker *walker, const char *topic, const char *text, int qos) {
    MQTTClient_message message = message_of(text, strlen(text), qos);
    message.retained = 1;
    publish(walker, topic, message);
}

static void every_qos(struct walker *walker) {
    for (int qos = 0; qos < 3; qos++) {
        char text[16];
        subscribe(walker, "walk/+", qos);
        publish_numbers(walker, "walk/one", 50, qos, qos);
        for (int number = 0; number < 50; number++) {
            snprintf(text, sizeof text, "%d", number);
            hear_text(walker, text, qos, false);
        }
        unsubscribe(walker, "walk/+");
        publish_text(walker, "walk/one", "nobody wants it", qos);
    }
    /* A message of QoS 2 to a subscription of QoS 1 and the other way round. */
    for (int granted = 0; granted < 3; granted++) {
        int sent = granted == 2 ? 1 : 2;
        subscribe(walker, "walk/+", granted);
        publish_text(walker, "walk/two", "lower", sent);
        hear_text(walker, "lower", granted < sent ? granted : sent, false);
        unsubscribe(walker, "walk/+");
    }
}

static void large(struct walker *walker) {
    static unsigned char payload[MEBIBYTE];
    for (int place = 0; place < MEBIBYTE; place++) payload[place] = place % 251;
    for (int qos = 0; qos < 3; qos++) {
        subscribe(walker, "large", qos);
        publish(walker, "large", message_of(payload, MEBIBYTE, qos));
        hear_this(walker, payload, MEBIBYTE, qos, false);
        publish_text(walker, "large", "", qos);
        hear_text(walker, "", qos, false);
        unsubscribe(walker, "large");
    }
}

static void retained(struct walker *walker) {
    for (int qos = 0; qos < 3; qos++) {
        keep(walker, "kept", "well", qos);
        subscribe(walker, "kept", qos);
        hear_text(walker, "well", qos, true);
        unsubscribe(walker, "kept");
    }
    keep(walker, "kept", "", 1);
    subscribe(walker, "kept", 1);
    publish_text(walker, "kept", "fresh", 1);
    hear_text(walker, "fresh", 1, false);
    unsubscribe(walker, "kept");
}

/* What the child of `vanish` does until it is killed. */
static void be_mortal(int qos) {
    struct walker mortal = enter_with("mortal", false, false, (struct will){"bye", qos});
    CHECK(mortal.client && write(STDOUT_FILENO, "!", 1) == 1);
    sleep(SOON_MS / 1000);
}

/* This client has no end without a DISCONNECT, so a process ends. */
static void vanish(int qos) {
    int tells[2];
    char told, word[16], *words[8] = {0};
    snprintf(word, sizeof word, "mortal=%d", qos);
    for (int place = 0; place < 6 && arguments[place]; place++) {
        words[place] = arguments[place];
        words[place + 1] = word;
    }
    CHECK(!pipe(tells));
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        dup2(tells[1], STDOUT_FILENO);
        execv(words[0], words);
        _exit(1);
    }
    close(tells[1]);
    CHECK(read(tells[0], &told, 1) == 1);
    CHECK(!kill(child, SIGKILL) && waitpid(child, NULL, 0) == child);
    close(tells[0]);
}

static void wills(struct walker *walker) {
    subscribe(walker, "gone", 2);
    for (int qos = 0; qos < 3; qos++) {
        struct walker polite = enter_with("polite", false, false, (struct will){"must not be told", qos});
        leave(&polite);
        vanish(qos);
        hear_text(walker, "bye", qos, false);
    }
    unsubscribe(walker, "gone");
}

static void resumed(struct walker *walker) {
    struct walker sleeper = enter_with("sleeper", true, false, (struct will){0});
    CHECK(!sleeper.session_present);
    subscribe(&sleeper, "asleep", 2);
    leave(&sleeper);
    publish_numbers(walker, "asleep", 40, 1, 2);
    sleeper = enter_with("sleeper", true, true, (struct will){0});
    /* MQTT 3.1 cannot say that a session goes on, and this client does not tell in 5.0. */
    CHECK(sleeper.session_present || version != MQTTVERSION_3_1_1);
    /* Messages of QoS 2 are told when they are released, so those of QoS 1 may pass them. */
    int next[] = {0, 1};
    for (int number = 0; number < 40; number++) {
        hear(&sleeper);
        int *expected = &next[sleeper.message->qos - 1];
        CHECK(number_heard(&sleeper) == *expected);
        *expected += 2;
    }
    CHECK(next[0] == 40 && next[1] == 41);
    leave(&sleeper);
}

static void shared(struct walker *walker) {
    struct walker members[] = {enter("first"), enter("second")};
    for (int qos = 0; qos < 3; qos++) {
        for (int member = 0; member < 2; member++) {
            subscribe(&members[member], "$share/group/work/+", qos);
            subscribe(&members[member], "over", qos);
        }
        publish_numbers(walker, "work/one", 40, qos, qos);
        publish_text(walker, "over", "", qos);
        int times[40] = {0};
        for (int member = 0; member < 2; member++) {
            int share = 0;
            for (hear(&members[member]); strcmp(members[member].topic, "over"); hear(&members[member])) {
                times[number_heard(&members[member])]++;
                share++;
            }
            CHECK(share > 0);
        }
        for (int number = 0; number < 40; number++) CHECK(times[number] == 1);
        for (int member = 0; member < 2; member++) unsubscribe(&members[member], "$share/group/work/+");
    }
    leave(&members[0]);
    leave(&members[1]);
}

static void give_text(MQTTProperties *given, enum MQTTPropertyCodes code, char *name, char *text, int length) {
    MQTTProperty property = {.identifier = code};
    property.value.data = (MQTTLenString){length, text};
    if (name) {
        property.value.value = property.value.data;
        property.value.data = (MQTTLenString){strlen(name), name};
    }
    CHECK(!MQTTProperties_add(given, &property));
}

static bool is_text(MQTTLenString got, const char *text, int length) {
    return got.len == length && !memcmp(got.data, text, length);
}

static void properties(struct walker *walker) {
    MQTTClient_message question = message_of("what?", 5, 2);
    MQTTProperty is_text_property = {.identifier = MQTTPROPERTY_CODE_PAYLOAD_FORMAT_INDICATOR, .value.byte = 1};
    CHECK(!MQTTProperties_add(&question.properties, &is_text_property));
    give_text(&question.properties, MQTTPROPERTY_CODE_CONTENT_TYPE, NULL, "text/plain", 10);
    give_text(&question.properties, MQTTPROPERTY_CODE_RESPONSE_TOPIC, NULL, "answers/walk", 12);
    give_text(&question.properties, MQTTPROPERTY_CODE_CORRELATION_DATA, NULL, "\0\1", 2);
    give_text(&question.properties, MQTTPROPERTY_CODE_USER_PROPERTY, "name", "one", 3);
    give_text(&question.properties, MQTTPROPERTY_CODE_USER_PROPERTY, "name", "two", 3);
    subscribe(walker, "asked", 2);
    publish(walker, "asked", question);
    MQTTProperties_free(&question.properties);
    hear_text(walker, "what?", 2, false);

    MQTTProperties *got = &walker->message->properties;
    CHECK(MQTTProperties_getNumericValue(got, MQTTPROPERTY_CODE_PAYLOAD_FORMAT_INDICATOR) == 1);
    CHECK(is_text(MQTTProperties_getProperty(got, MQTTPROPERTY_CODE_CONTENT_TYPE)->value.data, "text/plain", 10));
    CHECK(is_text(MQTTProperties_getProperty(got, MQTTPROPERTY_CODE_RESPONSE_TOPIC)->value.data, "answers/walk", 12));
    CHECK(is_text(MQTTProperties_getProperty(got, MQTTPROPERTY_CODE_CORRELATION_DATA)->value.data, "\0\1", 2));
    for (int index = 0; index < 2; index++) {
        MQTTProperty *pair = MQTTProperties_getPropertyAt(got, MQTTPROPERTY_CODE_USER_PROPERTY, index);
        CHECK(is_text(pair->value.data, "name", 4) && is_text(pair->value.value, index ? "two" : "one", 3));
    }
    unsubscribe(walker, "asked");
    struct walker nameless = enter("");
    CHECK(nameless.has_assigned_name);
    leave(&nameless);
}

static void read_arguments(int count, char **words, int *mortal_qos) {
    CHECK(count >= 3);
    arguments = words;
    port = words[1];
    version = !strcmp(words[2], "5.0") ? MQTTVERSION_5
        : !strcmp(words[2], "3.1.1") ? MQTTVERSION_3_1_1 : MQTTVERSION_3_1;
    for (int place = 3; place < count; place++) {
        has_shared |= !strcmp(words[place], "shared");
        if (!strncmp(words[place], "ca=", 3)) authority = words[place] + 3;
        sscanf(words[place], "mortal=%d", mortal_qos);
    }
}

static void walk(const char *name, void (*through)(struct walker *), struct walker *walker) {
    through(walker);
    puts(name);
    fflush(stdout);
}

int main(int count, char **words) {
    int mortal_qos = -1;
    read_arguments(count, words, &mortal_qos);
    MQTTClient_init_options initialised = MQTTClient_init_options_initializer;
    initialised.do_openssl_init = 1;
    MQTTClient_global_init(&initialised);
    if (mortal_qos >= 0) {
        be_mortal(mortal_qos);
        return 0;
    }
    struct walker walker = enter("walker");
    walk("every_qos", every_qos, &walker);
    walk("large", large, &walker);
    walk("retained", retained, &walker);
    walk("wills", wills, &walker);
    walk("resumed", resumed, &walker);
    if (has_shared) walk("shared", shared, &walker);
    if (version == MQTTVERSION_5) walk("properties", properties, &walker);
    CHECK(!hears(&walker, 100));
    leave(&walker);
    puts("done");
    return 0;
}
