import icons from 'virtual:icons';
import { cacheStore } from 'react-inlinesvg';

/** shipIcons hands the icons of @grafana/ui to its loader, so that none is fetched. */
export function shipIcons(): void {
  (window as unknown as { __grafana_public_path__: string }).__grafana_public_path__ = '/';
  for (const [name, svg] of Object.entries(icons)) {
    cacheStore.set(`/build/img/icons/${name}`, { content: svg, status: 'loaded' });
  }
}
