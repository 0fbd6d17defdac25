/** Fields of types that Kubernetes itself does not have, written as in the generated table `fields.json`. */
export const OWN_FIELDS = {
  NetworkAttachmentDefinition:
    'apiVersion=string kind=string metadata=V1ObjectMeta spec=NetworkAttachmentDefinitionSpec',
  NetworkAttachmentDefinitionSpec: 'config=string',
} as const satisfies Record<string, string>;
