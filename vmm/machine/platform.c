// SPDX-License-Identifier: MIT
#include "machine/platform.h"

#include <string.h>

#include "machine/internal.h"
#include "util/clock.h"

#define DRAIN_MS 2000
#define QUIET_NS (50 * 1000000ull) /* a line that goes on later than this is looked at before */

static void set_line(void *ctx, unsigned gsi, bool level)
{
	struct machine *m = ctx;
	uint32_t bit = 1u << (gsi & 31);

	/* Devices say their level as often as they like. */
	if (!(m->platform.lines & bit) == !level)
		return;
	m->platform.lines ^= bit;
	m->irqchip.ops->set_line(m, gsi, level);
}

static void guest_exit(void *ctx, unsigned code)
{
	machine_end(ctx, OUTCOME_GUEST_EXIT, 0, code, "exit code %u", code);
}

static uint64_t now(void *ctx)
{
	(void)ctx;
	return clock_now_ns();
}

static uint64_t wall(void *ctx)
{
	struct timespec ts;

	(void)ctx;
	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

static void arm(void *timer, uint64_t deadline_ns)
{
	timer_arm(timer, deadline_ns);
}

static void rtc_fire(void *ctx)
{
	rtc_timer(ctx);
}

static void pit_fire(void *ctx)
{
	pit_dev_timer(ctx);
}

/* --- the console is watched */

static void judge(struct machine *m, enum watch_verdict verdict)
{
	static const enum outcome_kind kinds[] = {
		[WATCH_MET] = OUTCOME_EXPECT,
		[WATCH_FAILED] = OUTCOME_FAIL,
		[WATCH_BROKEN] = OUTCOME_CONSOLE,
	};
	char text[WATCH_SAY_MAX];

	if (verdict == WATCH_GOES_ON)
		return;
	console_watch_say(m->cfg.watch, text);
	machine_end(m, kinds[verdict], 0, 0, "%s", text);
}

static void await_quiet(struct machine *m)
{
	m->platform.quiet = QUIET_WAITING;
	timer_arm(&m->platform.quiet_timer, clock_now_ns() + QUIET_NS);
}

static void quiet_fire(void *ctx)
{
	struct machine *m = ctx;

	if (m->platform.quiet == QUIET_BROKEN) {
		await_quiet(m);
		return;
	}
	m->platform.quiet = QUIET_SEEN;
	judge(m, console_watch_pause(m->cfg.watch));
}

/* The timer is not set anew for each byte: that would be a system call each. */
static void watch_byte(struct machine *m, uint8_t byte)
{
	judge(m, console_watch_byte(m->cfg.watch, byte));
	if (m->platform.quiet == QUIET_SEEN)
		await_quiet(m);
	else
		m->platform.quiet = QUIET_BROKEN;
}

void platform_end_watch(struct machine *m)
{
	enum watch_verdict verdict;

	if (!m->cfg.watch)
		return;
	verdict = console_watch_end(m->cfg.watch);
	if (verdict == WATCH_GOES_ON) {
		console_watch_say(m->cfg.watch, m->outcome.unmet);
		return;
	}
	switch (m->outcome.kind) {
	case OUTCOME_SIGNAL: /* whoever sent it is to see it */
	case OUTCOME_CONSOLE:
	case OUTCOME_EXPECT:
	case OUTCOME_FAIL:
		break;
	default: /* no other thread is left: the outcome is chosen anew */
		atomic_store(&m->ended, 0);
		judge(m, verdict);
	}
}

/* --- the serial line and the console are each other's far end */

static bool serial_put(void *ctx, uint8_t byte)
{
	struct machine *m = ctx;
	bool ok = console_putc(m->platform.console, byte);

	if (m->cfg.watch)
		watch_byte(m, byte);
	return ok;
}

static bool serial_full(void *ctx)
{
	struct machine *m = ctx;

	return console_full(m->platform.console);
}

static void serial_rx_room(void *ctx)
{
	struct machine *m = ctx;

	console_kick(m->platform.console);
}

static size_t console_room(void *ctx)
{
	struct machine *m = ctx;

	return serial_room(&m->platform.serial);
}

static void console_input(void *ctx, uint8_t byte)
{
	struct machine *m = ctx;

	serial_receive(&m->platform.serial, byte);
}

static void console_drained(void *ctx)
{
	struct machine *m = ctx;

	serial_tx_ready(&m->platform.serial);
}

static void console_quit(void *ctx)
{
	machine_end(ctx, OUTCOME_QUIT, 0, 0, "quit from the console");
}

static void console_failed(void *ctx, int error)
{
	machine_end(ctx, OUTCOME_CONSOLE, 0, (unsigned)error, "console output: %s",
		    strerror(error));
}

static int create_console(struct machine *m, struct error *err)
{
	const struct console_events events = {
		.room = console_room,
		.input = console_input,
		.drained = console_drained,
		.quit = console_quit,
		.failed = console_failed,
		.ctx = m,
	};
	const struct board *b = m->cfg.board;
	const struct serial_host host = {serial_put, serial_full, serial_rx_room, m};
	const struct irq_line line = {set_line, m, b->serial_irq};

	if (!b->serial_port && m->cfg.watch)
		return error_set(err, EXIT_SETUP,
				 "--expect, --fail: this machine has no serial line");
	if (!b->serial_port)
		return 0;
	if (m->cfg.watch && timer_open(&m->platform.quiet_timer, m->loop, quiet_fire, m, err) < 0)
		return -1;
	m->platform.console =
		console_open(m->loop, m->cfg.console, m->cfg.console_path, &events, err);
	if (!m->platform.console)
		return -1;
	serial_init(&m->platform.serial, b->serial_port, &line, &host);
	return bus_add(&m->bus, &m->platform.serial.dev, err);
}

static int create_rtc(struct machine *m, struct error *err)
{
	struct platform *p = &m->platform;
	const struct irq_line line = {set_line, m, m->cfg.board->rtc_irq};
	const struct rtc_host host = {now, wall, arm, &p->rtc_timer};

	if (!m->cfg.board->rtc_port)
		return 0;
	if (timer_open(&p->rtc_timer, m->loop, rtc_fire, &p->rtc, err) < 0)
		return -1;
	rtc_init(&p->rtc, m->cfg.board->rtc_port, &line, &host, m->ram.low,
		 m->ram.size - m->ram.low);
	return bus_add(&m->bus, &p->rtc.dev, err);
}

static int create_pit(struct machine *m, struct error *err)
{
	struct platform *p = &m->platform;
	const struct irq_line line = {set_line, m, 0};
	const struct pit_host host = {now, arm, &p->pit_timer};

	if (!m->irqchip.ops->userspace_pit)
		return 0;
	if (timer_open(&p->pit_timer, m->loop, pit_fire, &p->pit, err) < 0)
		return -1;
	pit_dev_init(&p->pit, &line, &host);
	return bus_add(&m->bus, &p->pit.dev, err);
}

static int create_hotplug(struct machine *m, struct error *err)
{
	const struct board *b = m->cfg.board;
	const struct irq_line line = {set_line, m, b->hotplug_irq};
	const struct hotplug_host host = {hotplug_status, machine_ask_plug, m};

	if (!b->hotplug_port)
		return 0;
	hotplug_init(&m->platform.hotplug, b->hotplug_port, &line, &host);
	return bus_add(&m->bus, &m->platform.hotplug.dev, err);
}

int platform_create(struct machine *m, struct error *err)
{
	struct platform *p = &m->platform;
	const struct board *b = m->cfg.board;
	const struct machine_requests req = {machine_ask_reset, guest_exit, m};
	const struct irq_line kbc_line = {set_line, m, 1};
	const struct irq_line test_line = {set_line, m, 0};

	ports_init(&p->ports, b->post_port, &req);
	if (bus_add(&m->bus, &p->ports.dev, err) < 0 || create_console(m, err) < 0 ||
	    create_rtc(m, err) < 0 || create_pit(m, err) < 0 || create_hotplug(m, err) < 0)
		return -1;
	if (b->kbc_port) {
		i8042_init(&p->i8042, b->kbc_port, &kbc_line, &req);
		if (bus_add(&m->bus, &p->i8042.dev, err) < 0)
			return -1;
	}
	if (b->debug_exit_port) {
		debug_exit_init(&p->debug_exit, b->debug_exit_port, &req);
		if (bus_add(&m->bus, &p->debug_exit.dev, err) < 0)
			return -1;
	}
	if (b->test_port) {
		test_lines_init(&p->test_lines, b->test_port, &test_line);
		if (bus_add(&m->bus, &p->test_lines.dev, err) < 0)
			return -1;
	}
	return 0;
}

bool platform_warm_vector(const struct machine *m)
{
	return m->cfg.board->rtc_port && rtc_warm_vector(&m->platform.rtc);
}

void platform_close_console(struct machine *m)
{
	struct platform *p = &m->platform;

	if (!p->console)
		return;
	p->lost = console_lost(p->console);
	console_close(p->console, DRAIN_MS);
	p->console = NULL;
}

void platform_destroy(struct machine *m)
{
	struct platform *p = &m->platform;

	platform_close_console(m);
	timer_close(&p->quiet_timer);
	if (p->rtc_timer.loop)
		timer_close(&p->rtc_timer);
	if (p->pit_timer.loop)
		timer_close(&p->pit_timer);
}
