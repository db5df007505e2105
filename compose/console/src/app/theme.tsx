import { createTheme, ThemeContext, type GrafanaTheme2 } from '@grafana/data';
import { GlobalStyles, PortalContainer } from '@grafana/ui';
import { createContext, useContext, useEffect, useMemo, useState, type ReactNode } from 'react';

type Mode = 'light' | 'dark';

const key = 'plumbline.console.theme';

const ModeContext = createContext<{ mode: Mode; toggle: () => void }>({ mode: 'dark', toggle: () => undefined });

/** useMode returns the colours in use, and what changes them. */
export function useMode(): { mode: Mode; toggle: () => void } {
  return useContext(ModeContext);
}

/** firstMode is what the person chose before, else what their system prefers. */
function firstMode(): Mode {
  const asked = new URLSearchParams(window.location.search).get('theme') ?? window.localStorage.getItem(key);
  if (asked === 'light' || asked === 'dark') {
    return asked;
  }
  return window.matchMedia('(prefers-color-scheme: light)').matches ? 'light' : 'dark';
}

/** Theme gives everything below it Grafana's colours, and its global styles. */
export function Theme({ children }: { children: ReactNode }) {
  const [mode, setMode] = useState<Mode>(firstMode);
  const theme: GrafanaTheme2 = useMemo(() => createTheme({ colors: { mode } }), [mode]);
  useEffect(() => {
    document.documentElement.style.colorScheme = mode;
    document.body.classList.remove('theme-light', 'theme-dark');
    document.body.classList.add(`theme-${mode}`);
  }, [mode]);
  const toggle = () => {
    const other = mode === 'dark' ? 'light' : 'dark';
    window.localStorage.setItem(key, other);
    setMode(other);
  };
  return (
    <ModeContext.Provider value={{ mode, toggle }}>
      <ThemeContext.Provider value={theme}>
        <GlobalStyles />
        {children}
        <PortalContainer />
      </ThemeContext.Provider>
    </ModeContext.Provider>
  );
}
