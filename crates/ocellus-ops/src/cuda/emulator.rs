#![allow(unsafe_code, reason = "kernels are loaded from a shared library")]

//! Kernels on the processor: the text that a GPU gets, built by the system's C compiler. See
//! `kernels/emulation.h`.

use std::collections::HashMap;
use std::ffi::{CString, c_int, c_void};
use std::path::Path;
use std::process::Command;
use std::sync::{LazyLock, Mutex, OnceLock, PoisonError};

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, DType, Result, Shape, Storage, Tensor, bail};

use super::launch::{Grid, Params};
use super::machine::{Argument, Changed, Memory, Output};
use super::source::Module;

type Launcher = unsafe extern "C" fn(*const Params, u32, u32) -> c_int;

/// Whether there is a C compiler that builds the kernels.
pub(crate) fn is_available() -> bool {
    static AVAILABLE: LazyLock<bool> = LazyLock::new(|| {
        let found = cfg!(target_os = "linux")
            && Command::new("cc").arg("--version").output().is_ok_and(|o| o.status.success());
        if !found {
            eprintln!("no C compiler (`cc`) on Linux: kernels for GPUs are not emulated: skipped");
        }
        found
    });
    *AVAILABLE
}

/// Bytes before and behind a copy of a tensor that must stay as they are: NaN of all types.
const MARGIN: usize = 256;
const POISON: u8 = 0xff;

/// Memory that holds NaN, so that what a kernel leaves out shows.
pub(crate) fn uninitialized(shape: &Shape, dtype: DType) -> Result<CpuStorage> {
    let count = shape.elem_count();
    Ok(match dtype {
        DType::F32 => CpuStorage::F32(vec![f32::NAN; count]),
        DType::F64 => CpuStorage::F64(vec![f64::NAN; count]),
        DType::F16 => {
            CpuStorage::F16(vec![num_traits::NumCast::from(f32::NAN).expect("a NaN"); count])
        }
        DType::BF16 => {
            CpuStorage::BF16(vec![num_traits::NumCast::from(f32::NAN).expect("a NaN"); count])
        }
        DType::U8 => CpuStorage::U8(vec![u8::MAX; count]),
        DType::U32 => CpuStorage::U32(vec![u32::MAX; count]),
        DType::I64 => CpuStorage::I64(vec![i64::MIN; count]),
        other => bail!("no memory of {other:?} is emulated"),
    })
}

/// The bytes of a storage.
fn bytes(storage: &CpuStorage) -> Result<(*const u8, usize)> {
    macro_rules! of {
        ($($variant:ident),*) => {
            match storage {
                $(CpuStorage::$variant(values) => (values.as_ptr().cast(), size_of_val(&values[..])),)*
                other => bail!("no {:?} is emulated", other.dtype()),
            }
        };
    }
    Ok(of!(U8, U32, I64, F32, F64, F16, BF16))
}

/// A copy of so many bytes of a tensor, with margins around.
struct Copy {
    values: Vec<u64>,
    bytes: usize,
}

/// A copy of a tensor with margins around, which a kernel reads or writes.
fn guarded(storage: &CpuStorage, first: usize, count: usize) -> Result<Copy> {
    let size = storage.dtype().size_in_bytes();
    let (start, len) = bytes(storage)?;
    assert!((first + count) * size <= len);
    let mut copy = Copy {
        values: vec![u64::MAX; (count * size + 2 * MARGIN).div_ceil(8)],
        bytes: count * size,
    };
    // SAFETY: the range lies within the storage, and the copy is larger by two margins.
    unsafe {
        let to = copy.values.as_mut_ptr().cast::<u8>().add(MARGIN);
        std::ptr::copy_nonoverlapping(start.add(first * size), to, count * size);
    }
    Ok(copy)
}

/// Runs a kernel; an error if it writes beside its outputs, or if its threads wait for others that
/// have ended.
pub(crate) fn launch(
    module: Module,
    name: &str,
    grid: Grid,
    arguments: &mut [Argument<'_>],
) -> Result<()> {
    let launcher = launcher(module, name)?;
    let (mut copies, mut values) = (Vec::new(), Vec::new());
    for argument in arguments.iter() {
        let copy = match argument {
            Argument::In(x) => Some(read(x)?),
            Argument::Out(y) => match &y.storage {
                Storage::Cpu(storage) => Some(guarded(storage, 0, y.shape.elem_count())?),
                _ => bail!("{name}: an output on a device"),
            },
            Argument::Changed(Changed { memory: Memory::Cpu(storage), first, count }) => {
                Some(guarded(storage, *first, *count)?)
            }
            _ => None,
        };
        argument.append(
            copy.as_ref().map_or(0, |copy| copy.values.as_ptr() as u64 + MARGIN as u64),
            &mut values,
        );
        // Moving a vector leaves its values where they are.
        copies.extend(copy);
    }
    let values = Params::new(&values)?;
    // SAFETY: the launcher was built from the kernel's text, which takes these parameters; the
    // addresses are those of living copies.
    let code = unsafe { launcher(&values, grid.blocks, grid.threads) };
    if code != 0 {
        bail!("{name}: threads of a block end while others wait, or more than 256 ({code})")
    }
    let mut copies = copies.iter();
    for argument in arguments.iter_mut() {
        let written = match argument {
            Argument::In(_) => None,
            Argument::Out(Output { storage: Storage::Cpu(storage), .. }) => Some((storage, 0)),
            Argument::Changed(Changed { memory: Memory::Cpu(storage), first, .. }) => {
                Some((&mut **storage, *first))
            }
            Argument::Changed(Changed { memory: Memory::Cuda(_), .. }) => {
                bail!("{name}: a variable on a device")
            }
            _ => continue,
        };
        if let Some(copy) = copies.next() {
            check_and_keep(name, copy, written)?;
        }
    }
    Ok(())
}

/// The margins as they were, and the values between back into the output.
fn check_and_keep(name: &str, copy: &Copy, output: Option<(&mut CpuStorage, usize)>) -> Result<()> {
    // SAFETY: the same memory, as bytes.
    let all = unsafe {
        std::slice::from_raw_parts(copy.values.as_ptr().cast::<u8>(), copy.values.len() * 8)
    };
    let (values, behind) = all[MARGIN..].split_at(copy.bytes);
    if all[..MARGIN].iter().chain(behind).any(|&b| b != POISON) {
        bail!("{name} writes beside a tensor")
    }
    let Some((storage, first)) = output else { return Ok(()) };
    let (start, len) = bytes(storage)?;
    let first = first * storage.dtype().size_in_bytes();
    assert!(first + values.len() <= len);
    // SAFETY: the storage is borrowed for writing and has so many bytes from the first on.
    unsafe {
        let to = start.cast_mut().add(first);
        std::ptr::copy_nonoverlapping(values.as_ptr(), to, values.len());
    }
    Ok(())
}

fn read(x: &Tensor) -> Result<Copy> {
    let (storage, layout) = x.storage_and_layout();
    match &*storage {
        Storage::Cpu(storage) => guarded(storage, layout.start_offset(), x.elem_count()),
        _ => bail!("an emulated kernel got a tensor on {:?}", x.device().location()),
    }
}

/// The kernel's entry, of a library that is built when the first kernel of its module is asked for.
fn launcher(module: Module, name: &str) -> Result<Launcher> {
    type Library = &'static OnceLock<std::result::Result<usize, String>>;
    static LIBRARIES: LazyLock<Mutex<HashMap<Module, Library>>> = LazyLock::new(Mutex::default);
    let library = *LIBRARIES
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .entry(module.clone())
        .or_insert_with(|| Box::leak(Box::default()));
    let build = || build(&module).map(|handle| handle as usize).map_err(|e| e.to_string());
    let handle = match library.get_or_init(build) {
        Ok(handle) => *handle as *mut c_void,
        Err(message) => bail!("{message}"),
    };
    let symbol = CString::new(format!("launch_{name}")).map_err(candle_core::Error::wrap)?;
    // SAFETY: the handle is of an open library, the name ends with a zero.
    let entry = unsafe { libc::dlsym(handle, symbol.as_ptr()) };
    if entry.is_null() {
        bail!("{} has no kernel {name}", module.name())
    }
    // SAFETY: every `launch_` of the libraries has this type: see `emulation.h`.
    Ok(unsafe { std::mem::transmute::<*mut c_void, Launcher>(entry) })
}

fn build(module: &Module) -> Result<*mut c_void> {
    let stem = std::env::temp_dir().join(format!("{}-{}", module.name(), std::process::id()));
    let (text, library) = (stem.with_extension("c"), stem.with_extension("so"));
    std::fs::write(&text, module.emulated_source()?)?;
    let handle = compile(&text, &library).and_then(|()| open(&library));
    // Once open, a library needs its file no more.
    for file in [&text, &library] {
        let _ = std::fs::remove_file(file);
    }
    handle
}

fn compile(text: &Path, library: &Path) -> Result<()> {
    let flags = ["-std=gnu11", "-O1", "-ffp-contract=off", "-fPIC", "-shared", "-Wall", "-Werror"];
    let unused = ["-Wno-unused-function", "-Wno-unused-variable"];
    let output = Command::new("cc")
        .args(flags)
        .args(unused)
        .arg("-o")
        .arg(library)
        .arg(text)
        .arg("-lm")
        .output()?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr))
    }
    Ok(())
}

fn open(library: &Path) -> Result<*mut c_void> {
    let path =
        CString::new(library.as_os_str().as_encoded_bytes()).map_err(candle_core::Error::wrap)?;
    // SAFETY: the path ends with a zero; the library runs no code when it is opened.
    let handle = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
    if handle.is_null() {
        bail!("{} does not open", library.display())
    }
    Ok(handle)
}
