-- Who agreed to what was proposed, and who did not.
CREATE VIEW report.price_approvals AS
SELECT
    approval.business_date,
    approval.generation_id,
    approval.outcome,
    approval.person,
    approval.reason,
    (approval.terms ->> 'changes')::int AS most_changes,
    (approval.figures ->> 'prices')::int AS prices,
    (approval.figures ->> 'changes')::int AS changes,
    (approval.figures ->> 'up')::int AS up,
    approval.decided_at
FROM ops.approval AS approval
WHERE approval.model = 'pricing';

COMMENT ON VIEW report.price_approvals IS
    'Who agreed to what was proposed beyond the budget of the rules, and who did not';

COMMENT ON COLUMN report.price_approvals.business_date IS 'of the proposals';
COMMENT ON COLUMN report.price_approvals.generation_id IS 'generation that was asked about';
COMMENT ON COLUMN report.price_approvals.outcome IS
    'approved, capped (a part of it), rejected, or expired: nobody answered in time';
COMMENT ON COLUMN report.price_approvals.person IS 'who answered; '''' for nobody';
COMMENT ON COLUMN report.price_approvals.reason IS 'that was given';
COMMENT ON COLUMN report.price_approvals.most_changes IS 'that a part was capped at; null: it was not';
COMMENT ON COLUMN report.price_approvals.prices IS 'prices that there were';
COMMENT ON COLUMN report.price_approvals.changes IS 'of them that were to change';
COMMENT ON COLUMN report.price_approvals.up IS 'of these that were to rise';
COMMENT ON COLUMN report.price_approvals.decided_at IS 'when the answer was kept';
