/** The one table of what `imlma` can do. */

import type { Command } from './command.ts'
import { agentsCommand } from './commands/agents.ts'
import { auditExportCommand } from './commands/audit-export.ts'
import { auditVerifyCommand } from './commands/audit-verify.ts'
import { approveCommand } from './commands/approve.ts'
import { backtestCommand } from './commands/backtest.ts'
import { brokerAclCommand } from './commands/broker-acl.ts'
import { bomCommand } from './commands/bom.ts'
import { compareCommand } from './commands/compare.ts'
import { keysNewCommand, keysShowCommand } from './commands/keys.ts'
import { lineageCommand } from './commands/lineage.ts'
import { pinCommand, rollbackCommand, unpinCommand } from './commands/order.ts'
import { pkiDenyCommand } from './commands/pki-deny.ts'
import { pkiTokenCommand } from './commands/pki-token.ts'
import { pkiInitCommand, pkiListCommand, pkiShowCommand } from './commands/pki.ts'
import { registerCommand } from './commands/register.ts'
import { retrainCommand } from './commands/retrain.ts'
import { rootCreateCommand, rootShowCommand, rootSignCommand } from './commands/root.ts'
import {
  rootAddCommand,
  rootRevokeCommand,
  rootRotateCommand,
  rootSetCommand,
} from './commands/root-change.ts'
import { statusCommand } from './commands/status.ts'
import { tokensListCommand, tokensNewCommand, tokensRevokeCommand } from './commands/tokens.ts'
import {
  usersAddCommand,
  usersDisableCommand,
  usersEnableCommand,
  usersListCommand,
  usersResetCommand,
  usersRoleCommand,
} from './commands/users.ts'
import { versionsCommand } from './commands/versions.ts'

export const commands: readonly Command[] = [
  statusCommand,
  agentsCommand,
  versionsCommand,
  compareCommand,
  lineageCommand,
  bomCommand,
  retrainCommand,
  registerCommand,
  rollbackCommand,
  pinCommand,
  unpinCommand,
  approveCommand,
  keysNewCommand,
  keysShowCommand,
  pkiInitCommand,
  pkiShowCommand,
  pkiTokenCommand,
  pkiListCommand,
  pkiDenyCommand,
  rootShowCommand,
  rootCreateCommand,
  rootAddCommand,
  rootSetCommand,
  rootRotateCommand,
  rootRevokeCommand,
  rootSignCommand,
  usersListCommand,
  usersAddCommand,
  usersRoleCommand,
  usersDisableCommand,
  usersEnableCommand,
  usersResetCommand,
  tokensListCommand,
  tokensNewCommand,
  tokensRevokeCommand,
  auditVerifyCommand,
  auditExportCommand,
  backtestCommand,
  brokerAclCommand,
]
