// SPDX-License-Identifier: MIT
/* Objects by name: the structure that one is part of is read, a few of its bits are changed, and it is written. */
#include <errno.h>
#include <string.h>

#include "scenario/puppet.h"
#include "scenario/runner.h"

#define MSR_APIC_BASE  0x1b
#define CPUID_ENTRIES  256
#define LAPIC_REG_STEP 16

struct cpuid_room {
	struct kvm_cpuid2 head;
	struct kvm_cpuid_entry2 entries[CPUID_ENTRIES];
};

/* What holds an object, and where in it. */
struct holder {
	union {
		uint64_t value;
		struct kvm_lapic_state lapic;
		struct kvm_regs regs;
		struct kvm_sregs sregs;
		struct kvm_vcpu_events events;
		struct kvm_debugregs debugregs;
		struct kvm_xcrs xcrs;
	};
	size_t offset;	      /* of its first byte */
	unsigned first, bits; /* of these bits; an object of a byte has 8 */
	unsigned step;	      /* bytes from one group of 32 bits to the next */
};

static unsigned cpu_of(const struct object_ref *ref)
{
	return (unsigned)ref->cpu;
}

static uint8_t *byte_of(struct holder *im, unsigned bit)
{
	return (uint8_t *)im + im->offset + bit / 32 * im->step + bit % 32 / 8;
}

/* IRR, ISR and TMR are eight registers of 32 bits, as all are 16 bytes apart (KVM_GET_LAPIC has the xAPIC's page). */
static int lapic_field(const struct object_ref *ref, struct holder *im)
{
	size_t at = ref->object->arg + (size_t)(ref->object->indexed ? ref->index : 0);
	size_t last = at + (ref->object->size / 4 - 1u) * LAPIC_REG_STEP;

	if (at % 4 || last + 4 > sizeof(im->lapic.regs))
		return -EINVAL;
	im->offset = offsetof(struct holder, lapic) + at;
	im->step = LAPIC_REG_STEP;
	return 0;
}

static uint32_t msr_index(const struct object_ref *ref)
{
	return ref->object->indexed ? ref->index : ref->object->arg;
}

static uint32_t mail_offset(const struct object_ref *ref)
{
	return ref->object->arg + ref->object->flag * ref->index;
}

/* KVM of 5.10 and 6.1 leaves nent as it was given; leaf 0 has its vendor in it. */
static int load_cpuid(int fd, struct cpuid_room *room)
{
	const struct kvm_cpuid_entry2 *e = room->entries;
	int r;

	memset(room, 0, sizeof(*room));
	room->head.nent = CPUID_ENTRIES;
	r = kvm_vcpu_get_cpuid(fd, &room->head);
	while (r == 0 && room->head.nent && !e[room->head.nent - 1].function &&
	       !e[room->head.nent - 1].ebx)
		room->head.nent--;
	return r;
}

/* One register of the leaf's first subleaf, or NULL. */
static uint32_t *cpuid_register(struct cpuid_room *room, const struct object_ref *ref)
{
	for (unsigned i = 0; i < room->head.nent && i < CPUID_ENTRIES; i++) {
		struct kvm_cpuid_entry2 *e = &room->entries[i];
		uint32_t *const regs[4] = {&e->eax, &e->ebx, &e->ecx, &e->edx};

		if (e->function == ref->index >> 8 && e->index == 0)
			return regs[ref->index & 3];
	}
	return NULL;
}

static int cpuid_get(int fd, const struct object_ref *ref, uint64_t *value)
{
	struct cpuid_room room;
	int r = load_cpuid(fd, &room);
	const uint32_t *reg = r < 0 ? NULL : cpuid_register(&room, ref);

	*value = reg ? *reg : 0;
	return r;
}

/* A leaf that is not there is added. Our own local APIC would not hear of any. */
static int cpuid_set(const struct target *t, int fd, const struct object_ref *ref, uint64_t value)
{
	struct cpuid_room room;
	uint32_t *reg;
	int r = t->mode == IRQCHIP_USER ? -EOPNOTSUPP : load_cpuid(fd, &room);

	if (r < 0)
		return r;
	reg = cpuid_register(&room, ref);
	if (!reg && room.head.nent < CPUID_ENTRIES) {
		room.entries[room.head.nent++].function = ref->index >> 8;
		reg = cpuid_register(&room, ref);
	}
	if (!reg)
		return -E2BIG;
	*reg = (uint32_t)value;
	return kvm_vcpu_set_cpuid(fd, &room.head);
}

/* XCR0 among the XCRs; it is the only one that there is. */
static int xcr0(int fd, struct holder *im)
{
	int r = kvm_vcpu_get_xcrs(fd, &im->xcrs);

	if (r < 0)
		return r;
	for (unsigned i = 0; i < im->xcrs.nr_xcrs && i < KVM_MAX_XCRS; i++)
		if (im->xcrs.xcrs[i].xcr == 0) {
			im->offset = offsetof(struct holder, xcrs.xcrs[i].value);
			return 0;
		}
	return -ENOENT;
}

static int run_value(struct runner *r, enum object_kind kind, uint64_t *value)
{
	int ret = 0;

	switch (kind) {
	case OBJECT_ACCEPTED:
		*value = r->accepted;
		break;
	case OBJECT_ERROR:
		*value = r->error;
		break;
	case OBJECT_EXIT:
		*value = r->exit;
		break;
	default:
		pthread_mutex_lock(&r->run->lock);
		ret = kmsg_warnings(&r->run->kmsg, value);
		pthread_mutex_unlock(&r->run->lock);
		break;
	}
	return ret;
}

/* Where the object lies, before anything is read; most are a word of their own. */
static int field(const struct object_ref *ref, struct holder *im)
{
	im->offset = ref->object->arg;
	im->first = 0;
	im->bits = ref->object->size * 8;
	im->step = 4;
	switch (ref->object->kind) {
	case OBJECT_LAPIC:
		return lapic_field(ref, im);
	case OBJECT_REGS:
	case OBJECT_SREGS:
	case OBJECT_EVENTS:
	case OBJECT_DEBUGREGS:
		return 0;
	case OBJECT_APICBASE_MODE:
		im->first = 10;
		im->bits = 2;
		im->offset = ref->object->arg ? offsetof(struct holder, sregs.apic_base) : 0;
		return 0;
	case OBJECT_CPUID:
	case OBJECT_GUEST:
	case OBJECT_MP_STATE:
		im->offset = 0;
		im->bits = ref->object->size * 8;
		return 0;
	default:
		im->offset = 0;
		im->bits = 64;
		return 0;
	}
}

static int load(struct runner *r, const struct object_ref *ref, struct holder *im)
{
	struct target *t = r->run->t;
	unsigned cpu = cpu_of(ref);
	uint32_t mp_state;
	int ret, fd;

	if (ref->object->named)
		return watched_get(r->run, ref, &im->value);
	if (!ref->object->of_cpu)
		return run_value(r, ref->object->kind, &im->value);
	if (ref->object->kind == OBJECT_GUEST) {
		im->value = puppet_get(r, cpu, mail_offset(ref), ref->object->size);
		return 0;
	}
	fd = target_fd(t, cpu);
	switch (ref->object->kind) {
	case OBJECT_LAPIC:
		return t->ops->get_lapic(t, cpu, &im->lapic);
	case OBJECT_MSR:
		return t->ops->get_msr(t, cpu, msr_index(ref), &im->value);
	case OBJECT_REGS:
		return kvm_vcpu_get_regs(fd, &im->regs);
	case OBJECT_SREGS:
		return t->ops->get_sregs(t, cpu, &im->sregs);
	case OBJECT_EVENTS:
		return kvm_vcpu_get_events(fd, &im->events);
	case OBJECT_DEBUGREGS:
		return kvm_vcpu_get_debugregs(fd, &im->debugregs);
	case OBJECT_XCR0:
		return xcr0(fd, im);
	case OBJECT_MP_STATE:
		ret = t->ops->get_mp_state(t, cpu, &mp_state);
		im->value = ret < 0 ? 0 : mp_state;
		return ret;
	case OBJECT_APICBASE_MODE:
		return ref->object->arg ? t->ops->get_sregs(t, cpu, &im->sregs)
					: t->ops->get_msr(t, cpu, MSR_APIC_BASE, &im->value);
	case OBJECT_CPUID:
		return cpuid_get(fd, ref, &im->value);
	default:
		return -EINVAL;
	}
}

static int store(struct runner *r, const struct object_ref *ref, struct holder *im)
{
	struct target *t = r->run->t;
	unsigned cpu = cpu_of(ref);
	int fd = target_fd(t, cpu);

	switch (ref->object->kind) {
	case OBJECT_CPUID:
		return cpuid_set(t, fd, ref, im->value);
	case OBJECT_GUEST:
		puppet_put(r, cpu, mail_offset(ref), im->value, ref->object->size);
		return 0;
	case OBJECT_LAPIC:
		return t->ops->set_lapic(t, cpu, &im->lapic);
	case OBJECT_MSR:
		return t->ops->set_msr(t, cpu, msr_index(ref), im->value);
	case OBJECT_REGS:
		return kvm_vcpu_set_regs(fd, &im->regs);
	case OBJECT_SREGS:
		return t->ops->set_sregs(t, cpu, &im->sregs);
	case OBJECT_EVENTS:
		im->events.flags |= ref->object->flag;
		return kvm_vcpu_set_events(fd, &im->events);
	case OBJECT_DEBUGREGS:
		return kvm_vcpu_set_debugregs(fd, &im->debugregs);
	case OBJECT_XCR0:
		return kvm_vcpu_set_xcrs(fd, &im->xcrs);
	case OBJECT_MP_STATE:
		return t->ops->set_mp_state(t, cpu, (uint32_t)im->value);
	case OBJECT_APICBASE_MODE:
		return ref->object->arg ? t->ops->set_sregs(t, cpu, &im->sregs)
					: t->ops->set_msr(t, cpu, MSR_APIC_BASE, im->value);
	default:
		return -EINVAL;
	}
}

/* The bits that the reference cuts out, counted in the image. */
static int slice(const struct object_ref *ref, const struct holder *im, unsigned *lo, unsigned *n)
{
	unsigned hi = ref->whole ? im->bits - 1 : ref->hi;

	*lo = ref->whole ? 0 : ref->lo;
	if (hi >= im->bits || hi < *lo || hi - *lo >= 64)
		return -EINVAL;
	*n = hi - *lo + 1;
	*lo += im->first;
	return 0;
}

static int prepare(struct runner *r, const struct object_ref *ref, struct holder *im, unsigned *lo,
		   unsigned *n)
{
	int ret = field(ref, im);

	if (ret == 0)
		ret = slice(ref, im, lo, n);
	if (ret == 0 && ref->object->of_cpu && target_fd(r->run->t, cpu_of(ref)) < 0)
		ret = -EINVAL;
	return ret;
}

int object_get(struct runner *r, const struct object_ref *ref, uint64_t *value)
{
	struct holder im;
	unsigned lo, n;
	int ret = prepare(r, ref, &im, &lo, &n);

	if (ret == 0)
		ret = load(r, ref, &im);
	if (ret < 0)
		return ret;
	*value = 0;
	for (unsigned i = n; i-- > 0;)
		*value = *value << 1 | (*byte_of(&im, lo + i) >> (lo + i) % 8 & 1);
	return 0;
}

/* To read what is overwritten as a whole can be impossible (x2APIC's self-IPI), or an act (KVM_GET_MP_STATE). */
static bool write_only(const struct object_ref *ref)
{
	return ref->whole &&
	       (ref->object->kind == OBJECT_MSR || ref->object->kind == OBJECT_MP_STATE);
}

int object_set(struct runner *r, const struct object_ref *ref, uint64_t value)
{
	struct holder im = {.value = 0};
	unsigned lo, n;
	int ret;

	if (ref->object->read_only)
		return -EINVAL;
	ret = prepare(r, ref, &im, &lo, &n);
	if (ret == 0 && n < 64 && value >> n)
		ret = -ERANGE;
	if (ret == 0 && !write_only(ref))
		ret = load(r, ref, &im);
	if (ret < 0)
		return ret;
	for (unsigned i = 0; i < n; i++) {
		uint8_t *byte = byte_of(&im, lo + i);
		uint8_t mask = (uint8_t)(1u << (lo + i) % 8);

		*byte = value >> i & 1 ? *byte | mask : *byte & (uint8_t)~mask;
	}
	return store(r, ref, &im);
}
