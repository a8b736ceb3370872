//! stub
use crate::forwarded::{Forwarded, ForwardedPrefix};
use crate::RootPath;
#[derive(Clone, Debug, Default)]
pub(crate) struct WarnOnce;
impl WarnOnce {
    pub(crate) const ENABLED: bool = cfg!(feature = "tracing");
    pub(crate) fn forwarded(&self, _: &ForwardedPrefix, _: &Forwarded) {}
    pub(crate) fn prefix_not_stripped(&self, _: &RootPath) {}
}
