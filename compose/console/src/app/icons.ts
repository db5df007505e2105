import { availableIconsIndex } from '@grafana/data';
import icons from 'virtual:icons';
import { cacheStore } from 'react-inlinesvg';

/** shipIcons hands the icons of @grafana/ui to its loader, so that none is fetched. */
export function shipIcons(): void {
  (window as unknown as { __grafana_public_path__: string }).__grafana_public_path__ = '/';
  const icon = (name: string) => icons[`unicons/${name}.svg`];
  const all: Record<string, string> = {};
  // Some names have no picture in the package.
  for (const name of Object.keys(availableIconsIndex)) {
    all[`${name.startsWith('gf-') ? 'custom' : 'unicons'}/${name}.svg`] = icon('circle');
  }
  Object.assign(all, icons, {
    'unicons/angle-double-left.svg': turned(icon('angle-double-right'), '-1 0 0 1 24 0'),
    'unicons/angle-double-up.svg': turned(icon('angle-double-down'), '1 0 0 -1 0 24'),
    'unicons/spinner.svg': icon('sync'),
  });
  for (const [name, svg] of Object.entries(all)) {
    cacheStore.set(`/build/img/icons/${name}`, { content: svg, status: 'loaded' });
  }
}

/** turned mirrors an icon of 24 units. */
function turned(svg: string, matrix: string): string {
  return svg.replace(/(<svg[^>]*>)(.*)(<\/svg>)/s, `$1<g transform="matrix(${matrix})">$2</g>$3`);
}
