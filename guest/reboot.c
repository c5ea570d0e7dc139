// SPDX-License-Identifier: MIT
/*
 * reboot: does the machine come back after a reset? `how=` chooses it: kbc (default), port92,
 * cf9-hard, cf9-soft, triple. CMOS byte 0x40 survives every reset and counts the boots; the second
 * one ends. ICH9 data sheet 13.7.5 (0xcf9), 13.7.3 (0x92); i8042 command 0xfe. Reset state: SDM
 * Vol. 3A, table 9-1.
 */
#include "lib/apic.h"
#include "lib/board.h"
#include "lib/console.h"
#include "lib/idt.h"
#include "lib/ioapic.h"
#include "lib/pic.h"
#include "lib/pit.h"
#include "lib/report.h"
#include "lib/timer.h"

#define CMOS_BOOTS  0x40
#define MARK	    0xa0 /* in the high half: the byte is ours and not what the CMOS held */
#define KBC_COMMAND 4
#define KBC_RESET   0xfe
#define PORT92	    0x92
#define RESET_USEC  2000000
#define PIN	    5
#define VECTOR	    0x45
#define PIC_VECTORS 0x60
#define TICK	    1193 /* about a millisecond */
#define TICK_USEC   5000

const char guest_name[] = "reboot";

static uint8_t cmos_read(uint8_t index)
{
	outb(board.rtc_port, index);
	return inb((uint16_t)(board.rtc_port + 1));
}

static void cmos_write(uint8_t index, uint8_t value)
{
	outb(board.rtc_port, index);
	outb((uint16_t)(board.rtc_port + 1), value);
}

static void reset_kbc(void)
{
	outb((uint16_t)(board.kbc_port + KBC_COMMAND), KBC_RESET);
}

static void reset_port92(void)
{
	uint8_t v = inb(PORT92) & 0xfe;

	outb(PORT92, v);
	outb(PORT92, v | 1);
}

/* Bit 1 chooses hard, the rising edge of bit 2 resets. */
static void reset_cf9(uint8_t hard)
{
	outb(0xcf9, hard);
	outb(0xcf9, hard | 4);
}

static void reset_hard(void)
{
	reset_cf9(2);
}

static void reset_soft(void)
{
	reset_cf9(0);
}

static void reset_triple(void)
{
	static const struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) none = {0, 0};

	asm volatile("lidt %0; ud2" ::"m"(none));
}

static const struct {
	const char *name;
	void (*reset)(void);
} ways[] = {
	{"kbc", reset_kbc},	  {"port92", reset_port92}, {"cf9-hard", reset_hard},
	{"cf9-soft", reset_soft}, {"triple", reset_triple},
};

static unsigned chosen(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(ways); i++)
		if (arg_is("how", ways[i].name))
			return i;
	if (arg_flag("how"))
		panic("bootargs: how is kbc, port92, cf9-hard, cf9-soft or triple");
	return 0;
}

static unsigned count_boot(void)
{
	uint8_t byte = cmos_read(CMOS_BOOTS);
	unsigned boots = (byte & 0xf0) == MARK ? (byte & 0x0f) + 1u : 1;

	cmos_write(CMOS_BOOTS, (uint8_t)(MARK | (boots & 0x0f)));
	return boots;
}

/* The first boot leaves something in each place where the reset has to clear it. */
static volatile uint64_t witness;

static void leave_traces(void)
{
	witness = 1;
	apic_mode_set(APIC_MODE_X2APIC);
	apic_write(APIC_TPR, 0x50);
	apic_write(APIC_LVT0, DM_EXTINT);
	ioapic_set(PIN, VECTOR);
	/* A PIT tick that waits in the PIC: INTR is high when the reset comes. */
	pic_init(PIC_VECTORS, PIC_VECTORS + 8);
	pic_mask(0xfffe);
	pit_set(0, 2, TICK);
	udelay(TICK_USEC);
}

/* What a reset of the CPUs alone leaves as it was. */
static void check_chips(void)
{
	report(ioapic_redir(PIN) & REDIR_MASKED, "the I/O APIC's entries are masked");
	/* An interrupt that nobody asked for is fatal here: a spurious one first, then a tick. */
	pic_init(PIC_VECTORS, PIC_VECTORS + 8);
	apic_extint(true);
	irq_window();
	report(true, "no INTR of the old life comes by LINT0");
	pic_mask(0xfffe);
	udelay(TICK_USEC);
	irq_window();
	apic_extint(false);
	report(true, "the PIT's channel 0 has stopped");
}

void guest_main(void)
{
	unsigned way = chosen(), boots = count_boot();

	if (boots == 1) {
		printf("reboot: %s\n", ways[way].name);
		leave_traces();
		ways[way].reset();
		udelay(RESET_USEC);
		report(false, "reset by %s", ways[way].name);
		return;
	}
	cmos_write(CMOS_BOOTS, 0);
	printf("boots %u\n", boots);
	report(boots == 2, "reset by %s", ways[way].name);
	report(witness == 0, "the image was loaded again");
	report(apic_mode() == APIC_MODE_XAPIC, "the APIC is in xAPIC mode");
	report(apic_read(APIC_LVT0) == LVT_MASKED, "LVT LINT0 is masked");
	report(rdmsr(MSR_APIC_BASE) & APIC_BASE_BSP, "the BSP flag is set");
	if (ways[way].reset == reset_soft)
		report_skip("0xcf9 without bit 1 resets the CPUs alone",
			    "I/O APIC, PIC and PIT are reset");
	else
		check_chips();
}
