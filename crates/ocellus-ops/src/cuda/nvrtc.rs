#![allow(unsafe_code, reason = "a library is loaded at run time")]

//! Every kernel goes through NVRTC, which needs no GPU, where the loader finds it
//! (`LD_LIBRARY_PATH`); else the test says that it skips.

use std::ffi::{CString, c_char, c_int, c_void};
use std::ptr::{null, null_mut};

use candle_core::{DType, Result, bail};

use super::source::{ARCHITECTURE, Family, Module, Text};

type Program = *mut c_void;
type Create = unsafe extern "C" fn(
    *mut Program,
    *const c_char,
    *const c_char,
    c_int,
    *const *const c_char,
    *const *const c_char,
) -> c_int;
type Compile = unsafe extern "C" fn(Program, c_int, *const *const c_char) -> c_int;
type Size = unsafe extern "C" fn(Program, *mut usize) -> c_int;
type GetText = unsafe extern "C" fn(Program, *mut c_char) -> c_int;
type Destroy = unsafe extern "C" fn(*mut Program) -> c_int;

struct Nvrtc(*mut c_void);

impl Nvrtc {
    fn open() -> Option<Self> {
        let open = |name: &str| {
            let name = CString::new(name).expect("no zero in a name");
            // SAFETY: the name ends with a zero.
            unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) }
        };
        let names = ["libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"];
        names.into_iter().map(open).find(|handle| !handle.is_null()).map(Self)
    }

    /// The address of a function, whose type is the caller's promise.
    fn function<F: Copy>(&self, name: &str) -> F {
        let name = CString::new(name).expect("no zero in a name");
        // SAFETY: the library is open and never closed; the name ends with a zero.
        let address = unsafe { libc::dlsym(self.0, name.as_ptr()) };
        assert!(!address.is_null() && size_of::<F>() == size_of::<*mut c_void>());
        // SAFETY: a function's address as a pointer of its type, as NVRTC's header has it.
        unsafe { std::mem::transmute_copy(&address) }
    }

    /// PTX of a text.
    fn compile(&self, text: &str, architecture: &str) -> Result<String> {
        let text = CString::new(text).map_err(candle_core::Error::wrap)?;
        let option = CString::new(format!("--gpu-architecture={architecture}"))
            .map_err(candle_core::Error::wrap)?;
        let mut program = null_mut();
        let create: Create = self.function("nvrtcCreateProgram");
        // SAFETY: as NVRTC's header has it: no headers, no name.
        let code = unsafe { create(&mut program, text.as_ptr(), null(), 0, null(), null()) };
        assert_eq!(code, 0);
        let compile: Compile = self.function("nvrtcCompileProgram");
        // SAFETY: one option, which ends with a zero.
        let code = unsafe { compile(program, 1, [option.as_ptr()].as_ptr()) };
        let log = self.text(program, "nvrtcGetProgramLogSize", "nvrtcGetProgramLog");
        let ptx = (code == 0).then(|| self.text(program, "nvrtcGetPTXSize", "nvrtcGetPTX"));
        let destroy: Destroy = self.function("nvrtcDestroyProgram");
        // SAFETY: the program is not used after.
        unsafe { destroy(&mut program) };
        match ptx {
            Some(ptx) if !log.contains("warning") => Ok(ptx),
            _ => bail!("{log}"),
        }
    }

    fn text(&self, program: Program, size: &str, text: &str) -> String {
        let (size, text): (Size, GetText) = (self.function(size), self.function(text));
        let mut len = 0;
        // SAFETY: the program lives.
        assert_eq!(unsafe { size(program, &mut len) }, 0);
        let mut bytes = vec![0u8; len];
        // SAFETY: the buffer has as many bytes as NVRTC says.
        assert_eq!(unsafe { text(program, bytes.as_mut_ptr().cast()) }, 0);
        String::from_utf8_lossy(&bytes).trim_end_matches('\0').into()
    }
}

#[test]
fn every_kernel_compiles_for_every_type() -> Result<()> {
    let Some(nvrtc) = Nvrtc::open() else {
        eprintln!("no libnvrtc in LD_LIBRARY_PATH: kernels are not compiled for GPUs: skipped");
        return Ok(());
    };
    let mut count = 0;
    for family in Family::ALL {
        for dtype in [DType::F32, DType::F64, DType::F16, DType::BF16] {
            for wide_index in [false, true] {
                let module = Module { text: Text::Family(family), dtype, wide_index };
                for architecture in [ARCHITECTURE, "compute_80", "compute_90"] {
                    let text = module.source()?;
                    let ptx = nvrtc.compile(&text, architecture).map_err(|error| {
                        candle_core::Error::Msg(format!(
                            "{} for {architecture}: {error}",
                            module.name()
                        ))
                    })?;
                    // More where a macro writes several.
                    let kernels =
                        text.matches("\nKERNEL(").count() + text.matches("\nCOOPERATIVE(").count();
                    assert!(ptx.matches(".entry ").count() >= kernels.max(1), "{}", module.name());
                    if let Some(folder) = std::env::var_os("OCELLUS_PTX") {
                        let file = format!("{}.{architecture}.ptx", module.name());
                        std::fs::write(std::path::Path::new(&folder).join(file), &ptx)?;
                    }
                    count += 1;
                }
            }
        }
    }
    eprintln!("{count} modules compiled");
    Ok(())
}
