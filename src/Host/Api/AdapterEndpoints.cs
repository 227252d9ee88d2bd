using AsrPlatform.Host.Learning.Registry;
using AsrPlatform.Host.Security;

namespace AsrPlatform.Host.Api;

/// <summary><c>/api/adapters</c>: versions of adapters, and which is active.</summary>
internal static class AdapterEndpoints
{
    private const int DefaultPage = 100;
    private const int LargestPage = 1000;

    public static void MapAdapters(this IEndpointRouteBuilder app)
    {
        app.MapGet("/api/adapters", (AdapterRegistry registry) => Results.Json(AdapterList.Of(registry))).RequireRole(Role.Viewer);
        app.MapGet("/api/adapters/compare", (string a, string b, AdapterRegistry registry) =>
            Missing(registry, a) ?? Missing(registry, b) ?? Results.Json(AdapterComparison.Of(registry, a, b))).RequireRole(Role.Viewer);
        app.MapGet("/api/adapters/activations", Activations).RequireRole(Role.Viewer);
        app.MapGet("/api/adapters/{id}", (string id, AdapterRegistry registry) =>
            Missing(registry, id) ?? Results.Json(AdapterDetails.Of(registry, id))).RequireRole(Role.Viewer);
        app.MapPost("/api/adapters/{id}/promote", PromoteAsync).RequireRole(Role.Admin);
        app.MapPost("/api/adapters/rollback", RollBackAsync).RequireRole(Role.Admin);
        app.MapDelete("/api/adapters/{id}", DeleteAsync).RequireRole(Role.Admin);
    }

    /// <summary>The oldest first; <c>after</c> goes on behind one that is known.</summary>
    private static IResult Activations(AdapterRegistry registry, long after = 0, int limit = DefaultPage) => limit is < 1 or > LargestPage
        ? Results.Problem($"limit is {limit}; it must be 1 … {LargestPage}.", statusCode: StatusCodes.Status400BadRequest)
        : Results.Json(new { items = registry.Activations(after).Take(limit).Select(Show) });

    private static async Task<IResult> PromoteAsync(string id, AdapterRegistry registry, ActiveAdapters active, AdapterChange? change, CancellationToken cancellationToken)
    {
        if (id != AdapterRegistry.Base && Missing(registry, id) is { } missing)
        {
            return missing;
        }

        var now = await registry.PromoteAsync(
            id, AdapterScope.Parse(change?.Scope), change?.Reason ?? "promoted by hand", change?.Provisional ?? false, active.BaseHash, cancellationToken);
        return Results.Json(Show(now));
    }

    private static async Task<IResult> RollBackAsync(AdapterRegistry registry, AdapterChange? change) =>
        Results.Json(Show((await registry.RollBackAsync(AdapterScope.Parse(change?.Scope), change?.Reason ?? "rolled back by hand"))!));

    private static async Task<IResult> DeleteAsync(string id, AdapterRegistry registry, CancellationToken cancellationToken)
    {
        if (Missing(registry, id) is { } missing)
        {
            return missing;
        }

        await registry.DeleteAsync(id, cancellationToken);
        return Results.NoContent();
    }

    private static object Show(Activation activation) => new
    {
        activation.Number,
        Scope = AdapterScope.Show(activation.Scope),
        activation.Adapter,
        activation.Previous,
        activation.Reason,
        activation.At,
        activation.Provisional,
    };

    private static IResult? Missing(AdapterRegistry registry, string id) => registry.Find(id) is null
        ? Results.Problem($"There is no adapter '{id}'.", statusCode: StatusCodes.Status404NotFound)
        : null;

    /// <summary>What promoting and rolling back take; every member, and the whole of it, may be left out.</summary>
    /// <param name="Scope">For whom: <c>all</c> (default), <c>tenant:NAME</c> or <c>speaker:NAME</c>.</param>
    /// <param name="Reason">Why.</param>
    /// <param name="Provisional">Whether it is to be watched.</param>
    private sealed record AdapterChange(string? Scope = null, string? Reason = null, bool Provisional = false);
}
