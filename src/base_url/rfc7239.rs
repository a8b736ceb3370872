use std::num::NonZeroUsize;
pub(super) struct Malformed;
#[derive(Default)]
pub(super) struct Element {
    pub(super) proto: Option<Vec<u8>>,
    pub(super) host: Option<Vec<u8>>,
}
pub(super) fn element<'a>(
    _: impl Iterator<Item = &'a [u8]>,
    _: NonZeroUsize,
) -> Result<Option<Element>, Malformed> {
    Ok(None)
}
