using AsrPlatform.Abstractions;
using AsrPlatform.Host.Learning.Rounds;
using AsrPlatform.Host.Security;

namespace AsrPlatform.Host.Api;

/// <summary><c>/api/training/jobs</c>: rounds of learning.</summary>
internal static class LearningEndpoints
{
    private const string Route = "/api/training/jobs";
    private const int DefaultPage = 50;
    private const int LargestPage = 1000;

    public static void MapLearning(this IEndpointRouteBuilder app)
    {
        app.MapGet(Route, List).RequireRole(Role.Viewer);
        app.MapGet(Route + "/{id}", (string id, LearningWorker worker) => worker.Find(id) is { } job ? Results.Json(job) : NoJob(id)).RequireRole(Role.Viewer);
        app.MapPost(Route, StartAsync).RequireRole(Role.Corrector);
        app.MapDelete(Route + "/{id}", CancelAsync).RequireRole(Role.Corrector);
    }

    private static IResult List(LearningWorker worker, int limit = DefaultPage)
    {
        if (limit is < 1 or > LargestPage)
        {
            return Results.Problem($"limit is {limit}; it must be 1 … {LargestPage}.", statusCode: StatusCodes.Status400BadRequest);
        }

        var (ready, why) = worker.CanLearn();
        return Results.Json(new { items = worker.List(limit), canLearn = why is null, why, ready });
    }

    private static async Task<IResult> StartAsync(LearningWorker worker)
    {
        try
        {
            var job = await worker.StartJobAsync();
            return Results.Json(job, statusCode: StatusCodes.Status202Accepted);
        }
        catch (AsrException error)
        {
            return Results.Problem(error.Message, statusCode: StatusCodes.Status409Conflict);
        }
    }

    private static async Task<IResult> CancelAsync(string id, LearningWorker worker) =>
        worker.Find(id) is not { } job ? NoJob(id)
        : await worker.CancelAsync(id) is { } cancelled ? Results.Json(cancelled)
        : Results.Problem($"The job '{id}' has ended: it is {job.State.ToString().ToLowerInvariant()}.", statusCode: StatusCodes.Status409Conflict);

    private static IResult NoJob(string id) => Results.Problem($"There is no job '{id}'.", statusCode: StatusCodes.Status404NotFound);
}
