import { createRoot } from 'react-dom/client';
import { App, fetchView } from './app/App.tsx';
import { ConfigContext, loadConfig } from './app/config.ts';
import { shipIcons } from './app/icons.ts';
import { followLinks } from './app/place.ts';
import { setup } from './app/setup.ts';
import { Theme } from './app/theme.tsx';

const root = createRoot(document.getElementById('console')!);

shipIcons();
followLinks();
fetchView(window.location.pathname);
try {
  const [config] = await Promise.all([loadConfig(), setup()]);
  root.render(
    <ConfigContext.Provider value={config}>
      <Theme>
        <App />
      </Theme>
    </ConfigContext.Provider>
  );
} catch (error) {
  root.render(<p role="alert">The console does not answer: {String(error)}. Is the lab up? Try `make status`.</p>);
}
