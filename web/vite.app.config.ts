import { fileURLToPath } from "node:url";
import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// The page that an image's gateway serves. What comes out is in git, as it is a part of every image: the same sources
// give the same bytes. It is few files with names that stay.
export default defineConfig({
  base: "./",
  plugins: [react(), tailwindcss()],
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  build: {
    outDir: fileURLToPath(new URL("../pycomfy/gateway/static", import.meta.url)),
    emptyOutDir: true,
    // The page's policy allows no scripts and styles within a page.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    cssCodeSplit: false,
    rolldownOptions: {
      input: fileURLToPath(new URL("./app.html", import.meta.url)),
      output: { entryFileNames: "app.js", assetFileNames: "app[extname]", codeSplitting: false },
    },
  },
});
