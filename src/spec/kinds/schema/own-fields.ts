import { CALICO_FIELDS } from '#spec/kinds/schema/calico-fields.ts';

/** Fields of types that Kubernetes itself does not have, written as in the generated table `fields.json`. */
export const OWN_FIELDS = {
  ...CALICO_FIELDS,
  /** What objects of every kind have. */
  ObjectOfAnyKind: 'apiVersion=string kind=string metadata=V1ObjectMeta',
  NetworkAttachmentDefinition:
    'apiVersion=string kind=string metadata=V1ObjectMeta spec=NetworkAttachmentDefinitionSpec',
  NetworkAttachmentDefinitionSpec: 'config=string',
} as const satisfies Record<string, string>;
