/* A load of MQTT 3.1.1 by the asynchronous client of Eclipse Paho C: a generator that is not ours, but for this loop.
 *
 *     load PORT QOS SUBSCRIBERS SECONDS
 *
 * It connects, says `ready`, waits for a line, publishes for that time, at most AHEAD messages ahead of the slowest subscriber,
 * waits for what is under way, says how many messages it has sent, how many have come, and in how many seconds, and waits for
 * the end of its input. `load --version` says the version of the library. */
#include <MQTTAsync.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { AHEAD = 500, WINDOW = 20, PAYLOAD = 64, SUBSCRIBERS = 1000, PATIENCE = 3, STEP_MICROS = 50 };

static const char *TOPIC = "bench/0";

/* How many messages a subscriber has got. */
static atomic_long received[SUBSCRIBERS];
/* How many requests have been answered, and whether one was refused. */
static atomic_long answered;
static atomic_int refused;

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void fail(const char *what) {
    fprintf(stderr, "%s\n", what);
    exit(1);
}

static void done(void *context, MQTTAsync_successData *data) {
    (void)context, (void)data;
    atomic_fetch_add(&answered, 1);
}

static void failed(void *context, MQTTAsync_failureData *data) {
    (void)context, (void)data;
    atomic_store(&refused, 1);
}

static void lost(void *context, char *cause) {
    (void)context, (void)cause;
    atomic_store(&refused, 1);
}

static int arrived(void *context, char *topic, int len, MQTTAsync_message *message) {
    (void)len;
    atomic_fetch_add((atomic_long *)context, 1);
    MQTTAsync_freeMessage(&message);
    MQTTAsync_free(topic);
    return 1;
}

static void wait_for_answers(long wanted) {
    double until = now() + 30;
    while (atomic_load(&answered) < wanted) {
        if (atomic_load(&refused) || now() > until)
            fail("the broker refuses, or does not answer");
        usleep(STEP_MICROS);
    }
}

/* A client whose connection is under way. */
static MQTTAsync connecting(const char *url, const char *name, void *context) {
    MQTTAsync client;
    MQTTAsync_connectOptions options = MQTTAsync_connectOptions_initializer;
    if (MQTTAsync_create(&client, url, name, MQTTCLIENT_PERSISTENCE_NONE, NULL) != MQTTASYNC_SUCCESS ||
        MQTTAsync_setCallbacks(client, context, lost, arrived, NULL) != MQTTASYNC_SUCCESS)
        fail("no client can be made");
    options.MQTTVersion = MQTTVERSION_3_1_1;
    options.cleansession = 1;
    options.keepAliveInterval = 600;
    options.maxInflight = WINDOW;
    options.onSuccess = done;
    options.onFailure = failed;
    if (MQTTAsync_connect(client, &options) != MQTTASYNC_SUCCESS)
        fail("there is no connection");
    return client;
}

static long slowest(int subscribers) {
    long least = atomic_load(&received[0]);
    for (int place = 1; place < subscribers; place++) {
        long one = atomic_load(&received[place]);
        least = one < least ? one : least;
    }
    return least;
}

/* Publishes for so long, and waits for what is under way. How many have been sent. */
static long load(MQTTAsync publisher, int qos, int subscribers, double seconds) {
    char payload[PAYLOAD] = {0};
    MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;
    double began = now();
    long sent = 0, acknowledged_before = atomic_load(&answered);
    options.onSuccess = done;
    options.onFailure = failed;
    while (now() < began + seconds && !atomic_load(&refused)) {
        long unacknowledged = sent - (atomic_load(&answered) - acknowledged_before);
        if (sent - slowest(subscribers) >= AHEAD || unacknowledged >= (qos > 0 ? WINDOW : AHEAD)) {
            usleep(STEP_MICROS);
            continue;
        }
        if (MQTTAsync_send(publisher, TOPIC, PAYLOAD, payload, qos, 0, &options) != MQTTASYNC_SUCCESS)
            fail("a message is not taken");
        sent++;
    }
    double progress = now();
    for (long last = -1; slowest(subscribers) < sent && now() < progress + PATIENCE; usleep(STEP_MICROS)) {
        if (slowest(subscribers) != last) {
            last = slowest(subscribers);
            progress = now();
        }
    }
    return sent;
}

static int tell_version(void) {
    for (MQTTAsync_nameValue *said = MQTTAsync_getVersionInfo(); said->name; said++)
        if (!strcmp(said->name, "Version"))
            puts(said->value);
    return 0;
}

int main(int count, char **words) {
    char url[64], name[32], answer[16];
    if (count == 2 && !strcmp(words[1], "--version"))
        return tell_version();
    if (count != 5)
        fail("load PORT QOS SUBSCRIBERS SECONDS");
    int qos = atoi(words[2]), subscribers = atoi(words[3]);
    if (subscribers < 1 || subscribers > SUBSCRIBERS)
        fail("there are too many subscribers, or none");
    snprintf(url, sizeof url, "tcp://127.0.0.1:%s", words[1]);
    static MQTTAsync clients[SUBSCRIBERS];
    for (int place = 0; place < subscribers; place++) {
        snprintf(name, sizeof name, "foreign-sub-%d", place);
        clients[place] = connecting(url, name, &received[place]);
    }
    static atomic_long nothing;
    MQTTAsync publisher = connecting(url, "foreign-pub", &nothing);
    wait_for_answers(subscribers + 1);
    for (int place = 0; place < subscribers; place++) {
        MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;
        options.onSuccess = done;
        options.onFailure = failed;
        if (MQTTAsync_subscribe(clients[place], TOPIC, qos, &options) != MQTTASYNC_SUCCESS)
            fail("there is no subscription");
    }
    wait_for_answers(2 * subscribers + 1);
    puts("ready");
    fflush(stdout);
    if (!fgets(answer, sizeof answer, stdin))
        return 1;
    double began = now();
    long sent = load(publisher, qos, subscribers, atof(words[4])), total = 0;
    double seconds = now() - began;
    for (int place = 0; place < subscribers; place++)
        total += atomic_load(&received[place]);
    printf("%ld %ld %.6f\n", sent, total, seconds);
    fflush(stdout);
    /* It is looked at what the broker has used before connections end. */
    while (fgets(answer, sizeof answer, stdin)) {
    }
    _exit(0);
}
