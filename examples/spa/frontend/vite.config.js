// Plain values, so that this file needs no import. https://vite.dev/config/
export default {
  // The URLs of assets are relative: to the page's base in HTML, to the file that names them in
  // scripts and styles.
  base: './',
  build: {
    outDir: '../dist',
    emptyOutDir: true,
    // The build is in the repository, so it is readable and its assets are files.
    minify: false,
    assetsInlineLimit: 0,
  },
};
