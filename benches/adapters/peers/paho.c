/* paho C under the same load as the others: paho PORT QOS WINDOW MESSAGES PACE */
#include <MQTTAsync.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static long ended, failed;
static int connected;

static double now(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec * 1e6 + at.tv_nsec / 1e3;
}

static void count(long *what) {
    pthread_mutex_lock(&lock);
    *what += 1;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
}

static void on_end(void *context, MQTTAsync_successData *data) { (void)context; (void)data; count(&ended); }
static void on_failure(void *context, MQTTAsync_failureData *data) { (void)context; (void)data; count(&failed); }

static void on_connect(void *context, MQTTAsync_successData *data) {
    (void)context; (void)data;
    pthread_mutex_lock(&lock);
    connected = 1;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
}

/* Waits until no more than so many are on their way. */
static void wait_for(long sent, long window) {
    pthread_mutex_lock(&lock);
    while (!failed && sent - ended > window) pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    if (failed) { fprintf(stderr, "a message failed\n"); exit(1); }
}

static int by_size(const void *one, const void *other) {
    double a = *(const double *)one, b = *(const double *)other;
    return (a > b) - (a < b);
}

int main(int argc, char **argv) {
    if (argc != 6) { fprintf(stderr, "paho PORT QOS WINDOW MESSAGES PACE\n"); return 2; }
    int qos = atoi(argv[2]);
    long window = atol(argv[3]), messages = atol(argv[4]);
    int one_by_one = !strcmp(argv[5], "one-by-one");
    long rate = strcmp(argv[5], "saturated") && !one_by_one ? atol(argv[5]) : 0;
    char url[64], payload[64];
    memset(payload, 'x', sizeof payload);
    snprintf(url, sizeof url, "tcp://127.0.0.1:%s", argv[1]);

    MQTTAsync client;
    MQTTAsync_create(&client, url, "bench", MQTTCLIENT_PERSISTENCE_NONE, NULL);
    MQTTAsync_connectOptions connect = MQTTAsync_connectOptions_initializer;
    connect.MQTTVersion = MQTTVERSION_3_1_1;
    connect.maxInflight = window;
    connect.onSuccess = on_connect;
    connect.onFailure = on_failure;
    if (MQTTAsync_connect(client, &connect) != MQTTASYNC_SUCCESS) return 1;
    pthread_mutex_lock(&lock);
    while (!connected && !failed) pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    if (failed) { fprintf(stderr, "no connection\n"); return 1; }

    double *took = calloc(messages, sizeof *took);
    struct rusage before, after;
    getrusage(RUSAGE_SELF, &before);
    double began = now();
    for (long sent = 0; sent < messages; sent++) {
        if (rate && sent % (rate / 1000) == 0) {
            double due = began + sent * 1e6 / rate, left = due - now();
            if (left > 0) {
                struct timespec nap = { left / 1e6, (long)(left * 1e3) % 1000000000L };
                nanosleep(&nap, NULL);
            }
        }
        MQTTAsync_responseOptions response = MQTTAsync_responseOptions_initializer;
        response.onSuccess = on_end;
        response.onFailure = on_failure;
        double at = now();
        int sent_now = MQTTAsync_send(client, "plant/7/line/3/temperature", sizeof payload, payload, qos, 0, &response);
        if (sent_now != MQTTASYNC_SUCCESS) { fprintf(stderr, "not sent: %d\n", sent_now); return 1; }
        wait_for(sent + 1, one_by_one ? 0 : window - 1);
        took[sent] = now() - at;
    }
    wait_for(messages, 0);
    double wall = now() - began;
    getrusage(RUSAGE_SELF, &after);
    qsort(took, messages, sizeof *took, by_size);
    double user = (after.ru_utime.tv_sec - before.ru_utime.tv_sec) * 1e6 + (after.ru_utime.tv_usec - before.ru_utime.tv_usec);
    double system = (after.ru_stime.tv_sec - before.ru_stime.tv_sec) * 1e6 + (after.ru_stime.tv_usec - before.ru_stime.tv_usec);
    printf("%f %f %f %f %f\n", wall, user, system, one_by_one ? took[messages / 2] : 0, one_by_one ? took[(long)(messages * 0.99)] : 0);
    MQTTAsync_destroy(&client);
    return 0;
}
