import icons from 'virtual:icons';
import { cacheStore } from 'react-inlinesvg';

/** shipIcons hands the icons of @grafana/ui to its loader, so that none is fetched. */
export function shipIcons(): void {
  (window as unknown as { __grafana_public_path__: string }).__grafana_public_path__ = '/';
  const all = {
    ...icons,
    // These two are asked for and not in the package.
    'unicons/angle-double-left.svg': icons['unicons/angle-double-right.svg']?.replace('<svg ', '<svg style="transform: scaleX(-1)" '),
    'unicons/spinner.svg': icons['unicons/sync.svg'],
  };
  for (const [name, svg] of Object.entries(all)) {
    cacheStore.set(`/build/img/icons/${name}`, { content: svg, status: 'loaded' });
  }
}
