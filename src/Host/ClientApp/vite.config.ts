import { defineConfig } from "vite";

// The page lies beside the program, which serves it; `npm run dev` asks a host on its usual port.
export default defineConfig({
  base: "./",
  build: {
    outDir: "../../../artifacts/app/wwwroot",
    emptyOutDir: true,
    // Nothing is inlined: the page's content security policy allows files of the host alone.
    assetsInlineLimit: 0,
    target: "es2022",
    cssTarget: ["chrome123", "firefox120", "safari17.5"],
    rollupOptions: { input: ["index.html", "overlay/index.html"] },
  },
  server: {
    proxy: {
      "/hubs": { target: "http://127.0.0.1:5080", ws: true },
      "/api": "http://127.0.0.1:5080",
      "/health": "http://127.0.0.1:5080",
    },
  },
});
