"""The conformance suite, run over every backend of `tests.store.backends`."""

from tests.store.conformance import (
    applying,
    bulk,
    completing,
    endpoints,
    engine,
    following,
    grouping,
    health,
    inbound,
    intake,
    levels,
    ordering,
    reading,
    secrets,
    steering,
    tokens,
)


class TestIntake(intake.IntakeConformance): ...


class TestSieve(intake.SieveConformance): ...


class TestEndpoints(endpoints.EndpointsConformance): ...


class TestSecrets(secrets.SecretsConformance): ...


class TestLease(engine.LeaseConformance): ...


class TestClaim(engine.ClaimConformance): ...


class TestComplete(completing.CompleteConformance): ...


class TestExchange(completing.ExchangeConformance): ...


class TestRecover(engine.RecoverConformance): ...


class TestGrouping(grouping.GroupingConformance): ...


class TestCharts(grouping.ChartsConformance): ...


class TestDueAndNudges(engine.DueAndNudgesConformance): ...


class TestHealth(health.HealthConformance): ...


class TestFailing(health.FailingConformance): ...


class TestPace(health.PaceConformance): ...


class TestPermission(health.PermissionConformance): ...


class TestHealthFence(health.HealthFenceConformance): ...


class TestOrdering(ordering.OrderingConformance): ...


class TestReordering(ordering.ReorderingConformance): ...


class TestFilters(steering.FilterConformance): ...


class TestSteering(steering.SteeringConformance): ...


class TestBulk(bulk.BulkConformance): ...


class TestUndo(bulk.UndoConformance): ...


class TestLines(bulk.LinesConformance): ...


class TestOperations(steering.OperationsConformance): ...


class TestFollowing(following.FollowingConformance): ...


class TestPages(reading.PagesConformance): ...


class TestRates(reading.RatesConformance): ...


class TestDataVersion(reading.DataVersionConformance): ...


class TestTransactions(reading.TransactionConformance): ...


class TestReadOnly(reading.ReadOnlyConformance): ...


class TestLevels(levels.LevelsConformance): ...


class TestDueWithin(levels.DueWithinConformance): ...


class TestDeliveriesAt(levels.DeliveriesAtConformance): ...


class TestApplying(applying.ApplyingConformance): ...


class TestSources(inbound.SourcesConformance): ...


class TestInbox(inbound.InboxConformance): ...


class TestTokens(tokens.TokensConformance): ...


class TestSchemas(tokens.SchemasConformance): ...
