/* Symbols of libc are looked up in the program before the image, so they cannot be interposed by
 * defining them. They are bound here instead, in the table of lwIP's own PLT: the library's text
 * stays as the distribution built it. Names are found as the dynamic linker finds them. */
#include "guest_stack/port/lwip_bind.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <lwip/init.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "guest_stack/kernel/kernel.h"

#if defined(__x86_64__)
#define SLOT_CALL R_X86_64_JUMP_SLOT
#define SLOT_ADDRESS R_X86_64_GLOB_DAT
#elif defined(__aarch64__)
#define SLOT_CALL R_AARCH64_JUMP_SLOT
#define SLOT_ADDRESS R_AARCH64_GLOB_DAT
#else
#error "which relocations fill this architecture's PLT?"
#endif

static char last_message[256] = "abort() in lwIP";

/* LWIP_PLATFORM_ASSERT prints, flushes and aborts. */
static int bound_printf_chk(int flag, const char* format, ...) {
    (void)flag;
    va_list arguments;
    va_start(arguments, format);
    const int length = vsnprintf(last_message, sizeof last_message, format, arguments);
    va_end(arguments);
    const size_t end = strcspn(last_message, "\n");
    last_message[end] = '\0';
    return length;
}

static _Noreturn void bound_abort(void) {
    kernel_panic("lwIP: %s", last_message);
}

static int bound_rand(void) {
    return (int)(kernel.ops->random(kernel.host) & 0x7fffffffu);
}

struct binding {
    const char* name;
    uintptr_t function;
};

struct dynamic {
    const ElfW(Sym) * symbols;
    const char* strings;
    const ElfW(Rela) * plt;
    size_t plt_count;
    const ElfW(Rela) * rela;
    size_t rela_count;
};

static void bind_slot(uintptr_t base, const ElfW(Rela) * relocation, uintptr_t function) {
    uintptr_t* slot = (uintptr_t*)(base + relocation->r_offset);
    const uintptr_t page_bytes = (uintptr_t)sysconf(_SC_PAGESIZE);
    void* page = (void*)((uintptr_t)slot & ~(page_bytes - 1));
    /* Full RELRO: the table is read-only since it was relocated. It stays writable: whether this
     * page was read-only before is not known here. */
    (void)mprotect(page, page_bytes, PROT_READ | PROT_WRITE);
    *slot = function;
}

static void bind_all(uintptr_t base, const struct dynamic* dynamic, const ElfW(Rela) * table,
                     size_t count, const struct binding* bindings) {
    for (size_t i = 0; i < count; ++i) {
        const uint32_t type = (uint32_t)ELF64_R_TYPE(table[i].r_info);
        if (type != SLOT_CALL && type != SLOT_ADDRESS) {
            continue;
        }
        const ElfW(Sym)* symbol = &dynamic->symbols[ELF64_R_SYM(table[i].r_info)];
        for (const struct binding* b = bindings; b->name != NULL; ++b) {
            if (strcmp(dynamic->strings + symbol->st_name, b->name) == 0) {
                bind_slot(base, &table[i], b->function);
            }
        }
    }
}

int lwip_bind(void) {
    void* lwip_function = NULL;
    void (*init)(void) = lwip_init; /* not interposed: its address lies in lwIP */
    memcpy(&lwip_function, &init, sizeof lwip_function);
    Dl_info info;
    struct link_map* map = NULL;
    if (dladdr1(lwip_function, &info, (void**)&map, RTLD_DL_LINKMAP) == 0 || map == NULL) {
        return -1;
    }
    struct dynamic dynamic = {NULL, NULL, NULL, 0, NULL, 0};
    for (const ElfW(Dyn)* entry = map->l_ld; entry->d_tag != DT_NULL; ++entry) {
        switch (entry->d_tag) {
            case DT_SYMTAB:
                dynamic.symbols = (const ElfW(Sym)*)entry->d_un.d_ptr;
                break;
            case DT_STRTAB:
                dynamic.strings = (const char*)entry->d_un.d_ptr;
                break;
            case DT_JMPREL:
                dynamic.plt = (const ElfW(Rela)*)entry->d_un.d_ptr;
                break;
            case DT_PLTRELSZ:
                dynamic.plt_count = entry->d_un.d_val / sizeof(ElfW(Rela));
                break;
            case DT_RELA:
                dynamic.rela = (const ElfW(Rela)*)entry->d_un.d_ptr;
                break;
            case DT_RELASZ:
                dynamic.rela_count = entry->d_un.d_val / sizeof(ElfW(Rela));
                break;
            default: /* nothing else is needed */
                break;
        }
    }
    if (dynamic.symbols == NULL || dynamic.strings == NULL) {
        return -1;
    }
    const struct binding bindings[] = {{"abort", (uintptr_t)bound_abort},
                                       {"rand", (uintptr_t)bound_rand},
                                       {"__printf_chk", (uintptr_t)bound_printf_chk},
                                       {"printf", (uintptr_t)bound_printf_chk},
                                       {NULL, 0}};
    bind_all(map->l_addr, &dynamic, dynamic.plt, dynamic.plt_count, bindings);
    bind_all(map->l_addr, &dynamic, dynamic.rela, dynamic.rela_count, bindings);
    return 0;
}
