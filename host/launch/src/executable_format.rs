//! The smallest programs: one for each architecture, which only end with a status of their own.
//!
//! Owns the numbers of ELF (System V ABI, "Object Files", with the supplements of the architectures) and the few
//! instructions. Pure data; whoever runs a program decides what its end means.

use zoea_model::Platform;

/// The status that every program ends with: none that an emulator, a shell or the kernel gives by itself.
pub(crate) const ANSWER: u8 = 42;

/// Where a program is loaded: at a multiple of every page size, above what a user may not map.
const ADDRESS: u32 = 0x40_0000;
/// The largest page size of Linux on these architectures.
const ALIGNMENT: u32 = 0x1_0000;

/// The width of an architecture's addresses (`EI_CLASS`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Bits32,
    Bits64,
}

/// The order of an architecture's bytes (`EI_DATA`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Little,
    Big,
}

/// How an architecture's programs look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ExecutableFormat {
    /// In the words of image platforms.
    architecture: &'static str,
    class: Class,
    order: Order,
    /// `e_machine`.
    machine: u16,
    /// `e_flags`: the ABI, where the kernel or an emulator looks at it.
    flags: u32,
    /// `exit(42)`, in the order of bytes in memory.
    code: &'static [u8],
}

/// Every architecture for which Linux images are commonly built.
const FORMATS: &[ExecutableFormat] = &[
    ExecutableFormat {
        architecture: "amd64",
        class: Class::Bits64,
        order: Order::Little,
        machine: 62,
        flags: 0,
        // mov edi, 42; mov eax, 60; syscall
        code: &[0xbf, 42, 0, 0, 0, 0xb8, 60, 0, 0, 0, 0x0f, 0x05],
    },
    ExecutableFormat {
        architecture: "386",
        class: Class::Bits32,
        order: Order::Little,
        machine: 3,
        flags: 0,
        // mov ebx, 42; mov eax, 1; int 0x80
        code: &[0xbb, 42, 0, 0, 0, 0xb8, 1, 0, 0, 0, 0xcd, 0x80],
    },
    ExecutableFormat {
        architecture: "arm64",
        class: Class::Bits64,
        order: Order::Little,
        machine: 183,
        flags: 0,
        // mov x0, #42; mov x8, #93; svc #0
        code: &[0x40, 0x05, 0x80, 0xd2, 0xa8, 0x0b, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4],
    },
    ExecutableFormat {
        architecture: "arm",
        class: Class::Bits32,
        order: Order::Little,
        machine: 40,
        // EABI version 5
        flags: 0x0500_0000,
        // mov r0, #42; mov r7, #1; svc #0
        code: &[0x2a, 0x00, 0xa0, 0xe3, 0x01, 0x70, 0xa0, 0xe3, 0x00, 0x00, 0x00, 0xef],
    },
    ExecutableFormat {
        architecture: "riscv64",
        class: Class::Bits64,
        order: Order::Little,
        machine: 243,
        flags: 0,
        // li a0, 42; li a7, 93; ecall
        code: &[0x13, 0x05, 0xa0, 0x02, 0x93, 0x08, 0xd0, 0x05, 0x73, 0x00, 0x00, 0x00],
    },
    ExecutableFormat {
        architecture: "ppc64le",
        class: Class::Bits64,
        order: Order::Little,
        machine: 21,
        // ELF version 2 ABI: the entry point is an address, not a descriptor
        flags: 2,
        // li r3, 42; li r0, 1; sc
        code: &[0x2a, 0x00, 0x60, 0x38, 0x01, 0x00, 0x00, 0x38, 0x02, 0x00, 0x00, 0x44],
    },
    ExecutableFormat {
        architecture: "s390x",
        class: Class::Bits64,
        order: Order::Big,
        machine: 22,
        flags: 0,
        // lghi %r2, 42; svc 1
        code: &[0xa7, 0x29, 0x00, 0x2a, 0x0a, 0x01],
    },
    ExecutableFormat {
        architecture: "mips64le",
        class: Class::Bits64,
        order: Order::Little,
        machine: 8,
        // MIPS64 release 2, position-independent code
        flags: 0x8000_0007,
        // li $a0, 42; li $v0, 5058; syscall
        code: &[0x2a, 0x00, 0x04, 0x24, 0xc2, 0x13, 0x02, 0x24, 0x0c, 0x00, 0x00, 0x00],
    },
    ExecutableFormat {
        architecture: "loong64",
        class: Class::Bits64,
        order: Order::Little,
        machine: 258,
        // LP64D, object file ABI version 1
        flags: 0x43,
        // li.w $a0, 42; li.w $a7, 93; syscall 0
        code: &[0x04, 0xa8, 0x80, 0x02, 0x0b, 0x74, 0x81, 0x02, 0x00, 0x00, 0x2b, 0x00],
    },
];

/// Returns how programs for a platform look, if it is one of Linux and known.
pub(crate) fn format_of(platform: &Platform) -> Option<ExecutableFormat> {
    let known = FORMATS.iter().find(|format| format.architecture == platform.architecture);
    known.filter(|_| platform.os == "linux").copied()
}

impl ExecutableFormat {
    /// Returns a program of this format: header, one loaded segment that is the whole file, code.
    pub(crate) fn program(&self) -> Vec<u8> {
        let (header, segment) = match self.class {
            Class::Bits32 => (52, 32),
            Class::Bits64 => (64, 56),
        };
        let code: u32 = header + segment;
        let size = self.code.iter().fold(code, |size, _| size + 1);
        let mut file = Writer { format: self, bytes: Vec::new() };
        let class = if self.class == Class::Bits64 { 2 } else { 1 };
        let order = if self.order == Order::Big { 2 } else { 1 };
        file.bytes.extend([0x7f, b'E', b'L', b'F', class, order, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        // e_type (ET_EXEC), e_machine, e_version, e_entry, e_phoff, e_shoff, e_flags
        file.halves([2, self.machine]).words([1]).addresses([ADDRESS + code, header, 0]).words([self.flags]);
        // e_ehsize, e_phentsize, e_phnum, e_shentsize, e_shnum, e_shstrndx
        file.short_words([header, segment, 1, 0, 0, 0]);
        // p_type (PT_LOAD), p_offset, p_vaddr, p_paddr, p_filesz, p_memsz, p_flags (read and execute), p_align; the
        // flags stand elsewhere in the two classes
        let readable_and_executable = 5;
        match self.class {
            Class::Bits32 => file
                .words([1])
                .addresses([0, ADDRESS, ADDRESS, size, size])
                .words([readable_and_executable, ALIGNMENT]),
            Class::Bits64 => file
                .words([1, readable_and_executable])
                .addresses([0, ADDRESS, ADDRESS, size, size, ALIGNMENT]),
        };
        file.bytes.extend(self.code);
        file.bytes
    }
}

/// Writes numbers as the format has them.
struct Writer<'a> {
    format: &'a ExecutableFormat,
    bytes: Vec<u8>,
}

impl Writer<'_> {
    fn halves<const COUNT: usize>(&mut self, numbers: [u16; COUNT]) -> &mut Self {
        for number in numbers {
            match self.format.order {
                Order::Little => self.bytes.extend(number.to_le_bytes()),
                Order::Big => self.bytes.extend(number.to_be_bytes()),
            }
        }
        self
    }

    /// Writes the lower halves of small numbers.
    fn short_words<const COUNT: usize>(&mut self, numbers: [u32; COUNT]) -> &mut Self {
        for number in numbers {
            let [first, second, third, fourth] = number.to_le_bytes();
            debug_assert_eq!((third, fourth), (0, 0), "sizes of headers are small");
            self.halves([u16::from_le_bytes([first, second])]);
        }
        self
    }

    fn words<const COUNT: usize>(&mut self, numbers: [u32; COUNT]) -> &mut Self {
        for number in numbers {
            match self.format.order {
                Order::Little => self.bytes.extend(number.to_le_bytes()),
                Order::Big => self.bytes.extend(number.to_be_bytes()),
            }
        }
        self
    }

    fn addresses<const COUNT: usize>(&mut self, numbers: [u32; COUNT]) -> &mut Self {
        for number in numbers {
            match (self.format.class, self.format.order) {
                (Class::Bits32, _) => {
                    self.words([number]);
                }
                (Class::Bits64, Order::Little) => self.bytes.extend(u64::from(number).to_le_bytes()),
                (Class::Bits64, Order::Big) => self.bytes.extend(u64::from(number).to_be_bytes()),
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(platform: &str) -> Option<Vec<u8>> {
        format_of(&platform.parse().unwrap()).map(|format| format.program())
    }

    #[test]
    fn platforms_of_linux_have_a_program() {
        for platform in ["linux/amd64/v3", "linux/arm/v6", "linux/s390x"] {
            assert!(program(platform).is_some(), "{platform}");
        }
        for platform in ["wasi/wasm", "windows/amd64", "linux/unheard-of"] {
            assert!(program(platform).is_none(), "{platform}");
        }
    }

    #[test]
    fn headers_are_as_long_as_they_say() {
        for format in FORMATS {
            let (code, headers) = (format.code.len(), if format.class == Class::Bits64 { 120 } else { 84 });
            assert_eq!(format.program().len(), headers + code, "{}", format.architecture);
        }
        let big = program("linux/s390x").unwrap();
        assert_eq!(big[16..20], [0, 2, 0, 22]);
        let little = program("linux/arm").unwrap();
        assert_eq!(little[16..20], [2, 0, 40, 0]);
        assert_eq!(little[24..28], (ADDRESS + 84).to_le_bytes());
    }
}
