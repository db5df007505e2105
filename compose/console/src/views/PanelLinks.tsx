import type { TimeRange } from '@grafana/data';
import { Dropdown, IconButton, Menu } from '@grafana/ui';
import { go, rangeQuery } from '../app/place.ts';
import type { Values } from '../model/interpolate.ts';
import { linkURL } from '../model/links.ts';
import type { Link } from '../model/supported.ts';

interface Props {
  title: string;
  links: Link[];
  values: Values;
  range: TimeRange;
}

/** PanelLinks is the menu of where a panel's reader goes next. */
export function PanelLinks({ title, links, values, range }: Props) {
  const menu = () => (
    <Menu>
      {links.map((link, i) => {
        const url = linkURL(link.url, values, rangeQuery(range));
        const away = link.targetBlank || !url.startsWith('/');
        return (
          <Menu.Item
            key={i} label={link.title} icon={away ? 'external-link-alt' : 'apps'} url={url} target={away ? '_blank' : undefined}
            onClick={away ? undefined : (event) => { event.preventDefault(); go(url); }}
          />
        );
      })}
    </Menu>
  );
  return (
    <Dropdown overlay={menu} placement="bottom-start">
      <IconButton name="link" size="sm" aria-label={`${title}: where to go next`} tooltip="Where to go next" />
    </Dropdown>
  );
}
