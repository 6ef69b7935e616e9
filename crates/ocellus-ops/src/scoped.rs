use std::cell::Cell;
use std::thread::LocalKey;

/// Runs `f` while the cell of this thread holds `value`; the former value is put back after it, also
/// when `f` unwinds.
pub(crate) fn scoped<V: Copy + 'static, R>(
    cell: &'static LocalKey<Cell<V>>,
    value: V,
    f: impl FnOnce() -> R,
) -> R {
    struct Restore<V: Copy + 'static>(&'static LocalKey<Cell<V>>, V);
    impl<V: Copy + 'static> Drop for Restore<V> {
        fn drop(&mut self) {
            self.0.set(self.1);
        }
    }
    let _restore = Restore(cell, cell.replace(value));
    f()
}
