import supported from '../../supported.json';

// What the console draws is declared in supported.json, once: a test of the
// repository compares it with the dashboards, and the types below let no panel
// read an option that it does not declare.

/** Loose turns the declaration's tree into the type of such options: every one may be missing. */
type Loose<T> = T extends readonly unknown[] | boolean | string
  ? any
  : T extends { '*': infer Item }
    ? Array<Loose<Item>> & Record<string, Loose<Item>>
    : T extends object
      ? { [K in keyof T]?: Loose<T[K]> }
      : any;

export type PanelType = keyof typeof supported.panels;

/** Options of a panel of a type, as declared. */
export type Options<P extends PanelType> = Loose<(typeof supported.panels)[P]['options']>;

export type TargetType = keyof typeof supported.targets;
export type Target<T extends TargetType> = Loose<(typeof supported.targets)[T]>;

export type Link = Loose<typeof supported.link>;

/** isPanelType reports whether the console draws panels of a type. */
export function isPanelType(type: string): type is PanelType {
  return Object.hasOwn(supported.panels, type);
}

/** customOptions lists the field options that are a panel type's own, as paths below "custom". */
export function customOptions(type: PanelType): string[] {
  return Object.keys(supported.panels[type].custom);
}

/** fieldOptions lists the field options that every panel type knows. */
export function fieldOptions(): string[] {
  return Object.keys(supported.field);
}

/** transformations lists the transformations that the console makes. */
export function transformations(): string[] {
  return Object.keys(supported.transformations);
}
