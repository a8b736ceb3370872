//! What every service around another one has.

macro_rules! define_inner_service_accessors {
    () => {
        /// The service inside.
        pub fn get_ref(&self) -> &S {
            &self.inner
        }

        /// The service inside, to change it.
        pub fn get_mut(&mut self) -> &mut S {
            &mut self.inner
        }

        /// The service inside, without the middleware.
        pub fn into_inner(self) -> S {
            self.inner
        }
    };
}
