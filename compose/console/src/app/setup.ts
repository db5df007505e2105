import {
  locationUtil,
  standardFieldConfigEditorRegistry,
  standardTransformers,
  standardTransformersRegistry,
  type FieldConfigPropertyItem,
  type GrafanaConfig,
  type TransformerRegistryItem,
} from '@grafana/data';
import { initPluginTranslations } from '@grafana/i18n';
import { customOptions, fieldOptions, transformations, type PanelType } from '../model/supported.ts';

/** asIs registers an option of a field that is taken as it stands in the dashboard. */
function asIs(id: string, isCustom: boolean): FieldConfigPropertyItem {
  const item = {
    id: isCustom ? `custom.${id}` : id, path: id, name: id, isCustom,
    settings: {}, process: (value: unknown) => value, shouldApply: () => true,
  };
  return item as unknown as FieldConfigPropertyItem;
}

/** fieldRegistry knows the options of a panel type's fields: exactly those that are declared. */
export function fieldRegistry(type: PanelType): typeof standardFieldConfigEditorRegistry {
  const registry = Object.create(standardFieldConfigEditorRegistry) as typeof standardFieldConfigEditorRegistry;
  const items = new Map([...fieldOptions().map((o) => asIs(o, false)), ...customOptions(type).map((o) => asIs(o, true))].map((i) => [i.id, i]));
  registry.getIfExists = (id) => items.get(id ?? '');
  registry.get = (id) => items.get(id)!;
  registry.list = () => [...items.values()];
  return registry;
}

/** setup prepares Grafana's libraries, which expect an application around them. */
export async function setup(): Promise<void> {
  await initPluginTranslations('plumbline-console', []);
  standardFieldConfigEditorRegistry.setInit(() => fieldOptions().map((o) => asIs(o, false)));
  const known = new Set(transformations());
  standardTransformersRegistry.setInit(() =>
    // Some are listed under two names.
    [...new Set(Object.values(standardTransformers))]
      .filter((t) => known.has(t.id))
      .map((t) => ({ id: t.id, name: t.name, transformation: () => Promise.resolve(t), editor: () => null }) as unknown as TransformerRegistryItem)
  );
  locationUtil.initialize({
    config: { appSubUrl: '' } as GrafanaConfig,
    getVariablesUrlParams: () => ({}),
    getTimeRangeForUrl: () => ({ from: 'now-1h', to: 'now' }),
  });
}
