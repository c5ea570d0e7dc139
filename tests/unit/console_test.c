// SPDX-License-Identifier: MIT
/* The console on pipes and files; the contract is console.h. On a terminal: terminal_test.c. */
#include "console_rig.h"

#define RING 65536 /* console.c */

static void run(void **state, int in, int out, void (*body)(void))
{
	struct rig_fds fds = {in, out, -1};

	rig_finish(rig_start(state, &fds, body));
}

static void make_pipe(int fd[2])
{
	assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
}

/* --- output */

#define STREAM 300000

static uint8_t stream_byte(unsigned i)
{
	return (uint8_t)(i * 7 + (i >> 8));
}

/* A vCPU: waits for drained() when the ring is full, as a UART makes its guest wait; else it fills the FIFO. */
static void *vcpu(void *ctx)
{
	(void)ctx;
	for (unsigned i = 0; i < STREAM;) {
		pthread_mutex_lock(&rig.lock);
		while (console_full(rig.c))
			pthread_cond_wait(&rig.has_room, &rig.lock);
		for (unsigned n = 0; n < CONSOLE_FIFO && i < STREAM; n++)
			CHECK(console_putc(rig.c, stream_byte(i++)));
		pthread_mutex_unlock(&rig.lock);
	}
	loop_stop(rig.loop);
	return NULL;
}

static void stream_body(void)
{
	pthread_t t;

	rig_open(CONSOLE_STDIO, NULL);
	pthread_create(&t, NULL, vcpu, NULL);
	loop_run(rig.loop);
	pthread_join(t, NULL);
	CHECK(!console_lost(rig.c));
	rig_close(10000);
	CHECK(!rig.failures);
}

static void a_slow_reader_gets_every_byte(void **state)
{
	struct rig_fds fds = {-1, -1, -1};
	uint8_t buf[5000];
	unsigned total = 0;
	ssize_t n;
	pid_t pid;
	int p[2];

	make_pipe(p);
	fds.out = p[1];
	pid = rig_start(state, &fds, stream_body);
	close(p[1]);
	usleep(50000); /* until pipe and ring are full, most likely */
	while ((n = read(p[0], buf, sizeof(buf))) > 0) {
		for (ssize_t i = 0; i < n; i++)
			assert_int_equal(buf[i], stream_byte(total++));
		usleep(1000);
	}
	rig_finish(pid);
	assert_int_equal(total, STREAM);
	close(p[0]);
}

static void full_body(void)
{
	rig_open(CONSOLE_STDIO, NULL);
	for (unsigned i = 0; i < RING; i++) {
		CHECK(console_full(rig.c) == (RING - i < CONSOLE_FIFO));
		CHECK(rig_putc('a'));
	}
	CHECK(console_full(rig.c));
	for (unsigned i = 0; i < 5; i++)
		CHECK(!rig_putc('b'));
	CHECK(console_lost(rig.c) == 5);
	CHECK(!rig.drained);
	rig.stop_when_drained = true;
	loop_run(rig.loop);
	CHECK(rig.drained == 1);
	CHECK(!console_full(rig.c));
	rig_puts("c");
	rig_run_for(10 * MS);
	CHECK(rig.drained == 1);
	rig_close(0);
	CHECK(!rig.failures);
}

/* False and counted when full; drained() once when there is room again. */
static void a_full_ring_refuses_and_tells_when_drained(void **state)
{
	char *buf = malloc(RING + 1);
	int p[2];

	make_pipe(p);
	fcntl(p[1], F_SETPIPE_SZ, 2 * RING);
	run(state, -1, p[1], full_body);
	fcntl(p[0], F_SETFL, O_NONBLOCK);
	close(p[1]);
	assert_int_equal(read(p[0], buf, RING + 1), RING + 1);
	assert_int_equal(buf[RING - 1], 'a');
	assert_int_equal(buf[RING], 'c');
	free(buf);
	close(p[0]);
}

static void failing_body(void)
{
	rig_open(CONSOLE_STDIO, NULL);
	for (unsigned i = 0; i < RING; i++)
		rig_putc('a');
	loop_run(rig.loop);
	CHECK(rig.failures == 1);
	CHECK(!console_full(rig.c));
	CHECK(rig.drained == 1); /* or a waiting guest would wait for ever */
	for (unsigned i = 0; i < 2 * RING; i++)
		CHECK(rig_putc('b'));
	rig_run_for(10 * MS);
	rig_close(1000);
	CHECK(rig.failures == 1);
}

static void epipe_body(void)
{
	failing_body();
	CHECK(rig.error == EPIPE);
}

static void ebadf_body(void)
{
	failing_body();
	CHECK(rig.error == EBADF);
}

static void enospc_body(void)
{
	failing_body();
	CHECK(rig.error == ENOSPC);
}

static void failed_output_is_told_once_and_then_discarded(void **state)
{
	int p[2], null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

	make_pipe(p);
	close(p[0]);
	run(state, -1, p[1], epipe_body);
	run(state, -1, null, ebadf_body); /* how main() opens a descriptor 1 that was closed */
	run(state, -1, full, enospc_body);
	close(p[1]);
	close(null);
	close(full);
}

/* More than fits into the pipe and the reader never reads. */
static void stuck_body(void)
{
	uint64_t start;

	rig_open(CONSOLE_STDIO, NULL);
	for (unsigned i = 0; i < RING; i++)
		rig_putc('a');
	rig_run_for(30 * MS);
	start = clock_now_ns();
	rig_close(200);
	CHECK(clock_now_ns() - start >= 200 * MS);
	CHECK(clock_now_ns() - start < 5000 * MS);
	CHECK(rig.failures == 1 && rig.error == ETIMEDOUT);
}

static void closing_is_bounded_when_the_reader_is_stuck(void **state)
{
	int p[2];

	make_pipe(p);
	fcntl(p[1], F_SETPIPE_SZ, 4096);
	run(state, -1, p[1], stuck_body);
	close(p[0]);
	close(p[1]);
}

static void late_body(void)
{
	rig_open(CONSOLE_STDIO, NULL);
	rig_puts("never seen by the loop");
	rig_close(0);
	CHECK(!rig.failures);
}

static void closing_writes_out_the_rest(void **state)
{
	char buf[64] = "";
	int p[2];

	make_pipe(p);
	run(state, -1, p[1], late_body);
	assert_int_equal(read(p[0], buf, sizeof(buf)), 22);
	assert_string_equal(buf, "never seen by the loop");
	assert_int_equal(fcntl(p[1], F_GETFL) & O_NONBLOCK, 0);
	close(p[0]);
	close(p[1]);
}

static char file_name[] = "/tmp/console_test.XXXXXX";

static void file_body(void)
{
	rig_open(CONSOLE_FILE, file_name);
	for (unsigned i = 0; i < 60000; i++)
		CHECK(rig_putc(stream_byte(i)));
	rig_run_for(50 * MS);
	CHECK(rig.entered < 60); /* idle, once all is written */
	rig_close(0);
	CHECK(!rig.failures);
}

static void a_file_is_truncated_and_written(void **state)
{
	static uint8_t buf[70000];
	char name[] = "/tmp/console_test.XXXXXX";
	int fd = mkstemp(name);

	memcpy(file_name, name, sizeof(name));
	assert_int_equal(pwrite(fd, buf, sizeof(buf), 0), sizeof(buf));
	run(state, -1, -1, file_body);
	assert_int_equal(pread(fd, buf, sizeof(buf), 0), 60000);
	for (unsigned i = 0; i < 60000; i++)
		assert_int_equal(buf[i], stream_byte(i));
	close(fd);
	unlink(name);
}

static void null_body(void)
{
	rig_open(CONSOLE_NULL, NULL);
	for (unsigned i = 0; i < 2 * RING; i++)
		CHECK(rig_putc('a'));
	console_kick(rig.c);
	rig_run_for(10 * MS);
	CHECK(!console_full(rig.c) && !console_lost(rig.c) && !rig.ngot);
	rig_close(0);
}

static void the_null_console_takes_everything_and_reads_nothing(void **state)
{
	char byte;
	int p[2];

	make_pipe(p);
	assert_int_equal(write(p[1], "x", 1), 1);
	run(state, p[0], -1, null_body);
	assert_int_equal(read(p[0], &byte, 1), 1);
	close(p[0]);
	close(p[1]);
}

static void an_unwritable_file_is_a_set_up_error(void **state)
{
	static const struct console_events events;
	struct error err = {0};
	struct loop *loop = open_loop(state);

	assert_null(console_open(loop, CONSOLE_FILE, "/nonexistent/file", &events, &err));
	assert_int_equal(err.code, EXIT_SETUP);
	assert_non_null(strstr(err.text, "/nonexistent/file"));
	loop_destroy(loop);
}

/* --- input */

/* The keys are a terminal's: Ctrl-A from a pipe is a byte like any other. */
static void all_bytes_body(void)
{
	rig_open(CONSOLE_STDIO, NULL);
	loop_run(rig.loop); /* to the LAST of the 256 */
	rig_run_for(50 * MS);
	CHECK(rig.ngot == 256 + 5);
	for (unsigned i = 0; i < 256; i++)
		CHECK(rig.got[i] == i);
	CHECK(!memcmp(rig.got + 256, "\001x\001ha", 5));
	CHECK(!rig.quits);
	CHECK(rig.entered < 60);
	rig_puts("still here"); /* the end of input ends nothing else */
	rig_close(100);
}

static void a_pipe_is_read_as_it_is_to_its_end(void **state)
{
	uint8_t all[256 + 5];
	char buf[32] = "";
	int p[2], q[2];

	for (unsigned i = 0; i < 256; i++)
		all[i] = (uint8_t)i;
	memcpy(all + 256, "\001x\001ha", 5);
	make_pipe(p);
	make_pipe(q);
	assert_int_equal(write(p[1], all, sizeof(all)), sizeof(all));
	close(p[1]);
	run(state, p[0], q[1], all_bytes_body);
	assert_int_equal(fcntl(p[0], F_GETFL) & O_NONBLOCK, 0);
	assert_int_equal(read(q[0], buf, sizeof(buf)), 10);
	assert_string_equal(buf, "still here");
	close(p[0]);
	close(q[0]);
	close(q[1]);
}

static void *take_input(void *ctx)
{
	size_t n;

	(void)ctx;
	do {
		pthread_mutex_lock(&rig.lock);
		rig.quota = 16; /* a 16550's FIFO, read empty */
		console_kick(rig.c);
		n = rig.ngot;
		pthread_mutex_unlock(&rig.lock);
		sched_yield();
	} while (n < 30000);
	loop_stop(rig.loop);
	return NULL;
}

static void backpressure_body(void)
{
	pthread_t t;

	rig.quota = 0;
	rig_open(CONSOLE_STDIO, NULL);
	rig_run_for(50 * MS);
	CHECK(rig.entered < 60);
	CHECK(!rig.ngot);
	pthread_create(&t, NULL, take_input, NULL);
	while (rig.ngot < 30000)
		loop_run(rig.loop);
	pthread_join(t, NULL);
	CHECK(rig.ngot == 30000);
	for (unsigned i = 0; i < 30000; i++)
		CHECK(rig.got[i] == (stream_byte(i) | 0x80));
	rig_close(0);
}

/* A receiver without room loses nothing, and the loop sleeps meanwhile. */
static void input_waits_for_room(void **state)
{
	char name[] = "/tmp/console_test.XXXXXX";
	int p[2], fd = mkstemp(name);

	unlink(name);
	make_pipe(p);
	for (unsigned i = 0; i < 30000; i++) {
		uint8_t byte = stream_byte(i) | 0x80;

		assert_int_equal(write(p[1], &byte, 1), 1);
		assert_int_equal(write(fd, &byte, 1), 1);
	}
	run(state, p[0], -1, backpressure_body);
	lseek(fd, 0, SEEK_SET);
	run(state, fd, -1, backpressure_body);
	close(fd);
	close(p[0]);
	close(p[1]);
}

TEST_MAIN(BOTH(a_slow_reader_gets_every_byte), BOTH(a_full_ring_refuses_and_tells_when_drained),
	  BOTH(failed_output_is_told_once_and_then_discarded),
	  BOTH(closing_is_bounded_when_the_reader_is_stuck), BOTH(closing_writes_out_the_rest),
	  BOTH(a_file_is_truncated_and_written),
	  BOTH(the_null_console_takes_everything_and_reads_nothing),
	  BOTH(an_unwritable_file_is_a_set_up_error), BOTH(a_pipe_is_read_as_it_is_to_its_end),
	  BOTH(input_waits_for_room))
