/* Mailboxes: order, wake-ups exactly while something is in, many senders without a loss. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <poll.h>
#include <stdbool.h>

#include "base/mailbox.h"

#define SENDERS 4
#define LETTERS 5000
#define WAIT_MS 20000

struct letter {
    struct queue_link link;
    int sender, number;
};

static bool is_readable(const struct mailbox *mailbox, int timeout_ms) {
    struct pollfd poll_fd = {.fd = mailbox->fd, .events = POLLIN};
    return poll(&poll_fd, 1, timeout_ms) == 1;
}

static void the_descriptor_is_readable_while_something_is_in(void **state) {
    struct mailbox mailbox;
    struct letter letters[3] = {{.number = 0}, {.number = 1}, {.number = 2}};
    assert_int_equal(mailbox_init(&mailbox, NULL), STATUS_OK);
    assert_false(is_readable(&mailbox, 0));
    assert_int_equal(mailbox_take(&mailbox).count, 0);
    for (int round = 0; round < 2; round++) {
        assert_true(mailbox_push(&mailbox, &letters[0].link));
        assert_false(mailbox_push(&mailbox, &letters[1].link));
        assert_false(mailbox_push(&mailbox, &letters[2].link));
        assert_true(is_readable(&mailbox, 0));
        struct queue taken = mailbox_take(&mailbox);
        assert_false(is_readable(&mailbox, 0));
        assert_int_equal(taken.count, 3);
        for (int i = 0; i < 3; i++)
            assert_int_equal(CONTAINER_OF(queue_pop(&taken), struct letter, link)->number, i);
        assert_null(queue_pop(&taken));
    }
    mailbox_close(&mailbox);
    mailbox_close(&mailbox);
    mailbox_close(NULL);
}

static void closing_what_was_never_opened_does_nothing(void **state) {
    struct mailbox mailbox = {.fd = 0};
    mailbox_close(&mailbox);
    struct pollfd input = {.fd = 0};
    assert_true(poll(&input, 1, 0) == 0 || !(input.revents & POLLNVAL));
}

struct sender {
    struct mailbox *mailbox;
    struct letter *letters;
};

static void *send_all(void *data) {
    struct sender *sender = data;
    for (int i = 0; i < LETTERS; i++)
        mailbox_push(sender->mailbox, &sender->letters[i].link);
    return NULL;
}

static void many_senders_lose_nothing_and_keep_their_order(void **state) {
    static struct letter letters[SENDERS][LETTERS];
    struct mailbox mailbox;
    struct sender senders[SENDERS];
    pthread_t threads[SENDERS];
    int next[SENDERS] = {0}, total = 0;
    assert_int_equal(mailbox_init(&mailbox, NULL), STATUS_OK);
    for (int s = 0; s < SENDERS; s++) {
        for (int i = 0; i < LETTERS; i++)
            letters[s][i] = (struct letter){.sender = s, .number = i};
        senders[s] = (struct sender){&mailbox, letters[s]};
        assert_int_equal(pthread_create(&threads[s], NULL, send_all, &senders[s]), 0);
    }
    while (total < SENDERS * LETTERS) {
        assert_true(is_readable(&mailbox, WAIT_MS)); /* a lost wake-up ends here */
        struct queue taken = mailbox_take(&mailbox);
        for (struct queue_link *link; (link = queue_pop(&taken)); total++) {
            struct letter *letter = CONTAINER_OF(link, struct letter, link);
            assert_int_equal(letter->number, next[letter->sender]++);
        }
    }
    for (int s = 0; s < SENDERS; s++)
        pthread_join(threads[s], NULL);
    assert_int_equal(mailbox_take(&mailbox).count, 0);
    mailbox_close(&mailbox);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_descriptor_is_readable_while_something_is_in),
        cmocka_unit_test(closing_what_was_never_opened_does_nothing),
        cmocka_unit_test(many_senders_lose_nothing_and_keep_their_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
