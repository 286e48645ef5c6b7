/**
 * Which names does a file take from the global scope, and how does it use each? A walk over the syntax tree that knows
 * scopes, so that a parameter named `fetch` is not the global one.
 */
import { visitorKeys } from 'oxc-parser'

export interface Node {
  readonly type: string
  readonly start: number
  readonly [key: string]: unknown
}

export interface Reference {
  readonly name: string
  readonly start: number
  readonly use: 'bare' | 'call' | 'new' | 'member' | 'test' | 'type'
  /** Name of the member for `member`; undefined where it is computed. */
  readonly member?: string | undefined
  /** Number of arguments for `call` and `new`. */
  readonly argumentCount?: number
}

export const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && typeof (value as Node).type === 'string'

const nodesOf = (value: unknown): readonly Node[] =>
  Array.isArray(value) ? value.filter(isNode) : isNode(value) ? [value] : []

export const childrenOf = (node: Node): readonly (readonly [string, Node])[] =>
  (visitorKeys[node.type] ?? []).flatMap((key) => nodesOf(node[key]).map((child) => [key, child] as const))

/** Names that a pattern binds: `{ a, b: [c, ...d] }` binds a, c and d. */
const boundBy = (pattern: unknown): readonly string[] => {
  if (!isNode(pattern)) return []
  switch (pattern.type) {
    case 'Identifier':
      return [pattern['name'] as string]
    case 'ObjectPattern':
      return nodesOf(pattern['properties']).flatMap(boundBy)
    case 'Property':
      return boundBy(pattern['value'])
    case 'ArrayPattern':
      return nodesOf(pattern['elements']).flatMap(boundBy)
    case 'AssignmentPattern':
      return boundBy(pattern['left'])
    case 'RestElement':
      return boundBy(pattern['argument'])
    case 'TSParameterProperty':
      return boundBy(pattern['parameter'])
    default:
      return []
  }
}

const declaredBy = (statement: Node): readonly string[] => {
  switch (statement.type) {
    case 'VariableDeclaration':
      return nodesOf(statement['declarations']).flatMap((declarator) => boundBy(declarator['id']))
    case 'FunctionDeclaration':
    case 'ClassDeclaration':
    case 'TSInterfaceDeclaration':
    case 'TSTypeAliasDeclaration':
      return boundBy(statement['id'])
    case 'ImportDeclaration':
      return nodesOf(statement['specifiers']).flatMap((specifier) => boundBy(specifier['local']))
    case 'ExportNamedDeclaration':
    case 'ExportDefaultDeclaration':
      return nodesOf(statement['declaration']).flatMap(declaredBy)
    default:
      return []
  }
}

/** Names that come into scope at a node, for everything below it. */
const scopeOf = (node: Node): readonly string[] => {
  switch (node.type) {
    case 'Program':
    case 'BlockStatement':
    case 'FunctionBody':
    case 'StaticBlock':
      return nodesOf(node['body']).flatMap(declaredBy)
    case 'SwitchStatement':
      return nodesOf(node['cases']).flatMap((each) => nodesOf(each['consequent']).flatMap(declaredBy))
    case 'FunctionDeclaration':
    case 'FunctionExpression':
    case 'ArrowFunctionExpression':
    case 'TSFunctionType':
    case 'TSConstructorType':
    case 'TSMethodSignature':
    case 'TSCallSignatureDeclaration':
    case 'TSDeclareFunction':
      return [...boundBy(node['id']), ...nodesOf(node['params']).flatMap(boundBy)]
    case 'TSIndexSignature':
      return nodesOf(node['parameters']).flatMap(boundBy)
    case 'ClassExpression':
      return boundBy(node['id'])
    case 'CatchClause':
      return boundBy(node['param'])
    case 'ForStatement':
      return nodesOf(node['init']).flatMap(declaredBy)
    case 'ForInStatement':
    case 'ForOfStatement':
      return nodesOf(node['left']).flatMap(declaredBy)
    default:
      return []
  }
}

/** True for identifiers that only name a member, a key or a label. */
const isLabel = (parent: Node, key: string): boolean =>
  (key === 'property' && parent.type === 'MemberExpression' && parent['computed'] !== true) ||
  (key === 'key' && parent['computed'] !== true) ||
  key === 'label' ||
  key === 'exported' ||
  (key === 'right' && parent.type === 'TSQualifiedName')

const memberName = (parent: Node): string | undefined => {
  const property = parent['property'] as Node
  if (parent['computed'] !== true) return property['name'] as string
  return property.type === 'Literal' ? String(property['value']) : undefined
}

const referenceOf = (name: string, start: number, parent: Node, key: string): Reference => {
  const argumentCount = nodesOf(parent['arguments']).length
  if (parent.type.startsWith('TS') && key !== 'expression') return { name, start, use: 'type' }
  if (parent.type === 'MemberExpression' && key === 'object')
    return { name, start, use: 'member', member: memberName(parent) }
  if (parent.type === 'CallExpression' && key === 'callee') return { name, start, use: 'call', argumentCount }
  if (parent.type === 'NewExpression' && key === 'callee') return { name, start, use: 'new', argumentCount }
  const isTest =
    (parent.type === 'UnaryExpression' && parent['operator'] === 'typeof') ||
    (parent.type === 'BinaryExpression' && parent['operator'] === 'instanceof' && key === 'right')
  return { name, start, use: isTest ? 'test' : 'bare' }
}

/** Every use of a name that the file itself does not bind, and of `import.meta`, in the order of the text. */
export const freeReferences = (program: Node): readonly Reference[] => {
  const found: Reference[] = []
  const visit = (node: Node, parent: Node, key: string, bound: ReadonlySet<string>): void => {
    if (node.type === 'ImportDeclaration' || (node.type.startsWith('Export') && isNode(node['source'])))
      return
    if (node.type === 'MetaProperty') {
      const isImport = (node['meta'] as Node)['name'] === 'import'
      if (isImport) found.push(referenceOf('import.meta', node.start, parent, key))
      return
    }
    if (node.type === 'Identifier' && !isLabel(parent, key)) {
      const name = node['name'] as string
      if (!bound.has(name)) found.push(referenceOf(name, node.start, parent, key))
    }
    const own = scopeOf(node)
    const inside = own.length === 0 ? bound : new Set([...bound, ...own])
    for (const [childKey, child] of childrenOf(node)) visit(child, node, childKey, inside)
  }
  visit(program, program, '', new Set())
  return found
}
