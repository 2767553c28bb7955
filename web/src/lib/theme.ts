import { create } from "zustand";

export type Theme = "light" | "dark" | "system";

const KEY = "pycomfy-theme";
const system = window.matchMedia("(prefers-color-scheme: dark)");

function read(): Theme {
  const saved = window.localStorage.getItem(KEY);
  return saved === "light" || saved === "dark" ? saved : "system";
}

function isDark(theme: Theme): boolean {
  return theme === "dark" || (theme === "system" && system.matches);
}

function apply(theme: Theme): boolean {
  const dark = isDark(theme);
  document.documentElement.classList.toggle("dark", dark);
  return dark;
}

export const useTheme = create<{ theme: Theme; dark: boolean; set: (theme: Theme) => void }>()((set) => ({
  theme: read(),
  dark: apply(read()),
  set: (theme) => {
    window.localStorage.setItem(KEY, theme);
    set({ theme, dark: apply(theme) });
  },
}));

system.addEventListener("change", () => {
  const { theme } = useTheme.getState();
  useTheme.setState({ dark: apply(theme) });
});
