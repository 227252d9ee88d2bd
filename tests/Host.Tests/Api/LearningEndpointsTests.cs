using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using AsrPlatform.Host.Learning.Rounds;
using AsrPlatform.Host.Security;
using Microsoft.Extensions.DependencyInjection;

namespace AsrPlatform.Host.Tests.Api;

/// <summary><c>/api/training/jobs</c> of a host whose recogniser has no checkpoint: it cannot learn, and says so.</summary>
public sealed class LearningEndpointsTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Jobs_WhereNothingCanBeLearned_SayWhy()
    {
        await using var host = await TestHost.StartAsync();
        var list = (await host.Http.GetFromJsonAsync<JsonObject>("api/training/jobs", Cancelled))!;
        Assert.Equal(["items", "canLearn", "why", "ready"], list.Select(member => member.Key));
        Assert.False((bool)list["canLearn"]!);
        Assert.StartsWith("this host serves no checkpoint folder that could learn", (string)list["why"]!, StringComparison.Ordinal);
        using var refused = await host.SendAsync(HttpMethod.Post, "api/training/jobs");
        Assert.Equal(HttpStatusCode.Conflict, refused.StatusCode);
        Assert.Equal((string)list["why"]!, (string)(await refused.Content.ReadFromJsonAsync<JsonNode>(Cancelled))!["detail"]!);
        Assert.Equal(HttpStatusCode.NotFound, (await host.SendAsync(HttpMethod.Get, "api/training/jobs/none")).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await host.SendAsync(HttpMethod.Delete, "api/training/jobs/none")).StatusCode);
    }

    [Fact]
    public async Task Job_OfAnotherProcess_IsShownAndCanBeCancelledOnce()
    {
        await using var host = await TestHost.StartAsync();
        var jobs = host.App.Services.GetRequiredService<LearningJobs>();
        var id = (await jobs.AddAsync(JobTrigger.ByHand, new JobSettings { Foreground = true })).Id;
        await jobs.StartAsync(id);
        var job = (await host.Http.GetFromJsonAsync<JsonObject>($"api/training/jobs/{id}", Cancelled))!;
        Assert.Equal(["id", "state", "trigger", "createdAt", "startedAt", "endedAt", "outcome", "error", "progress"], job.Select(member => member.Key));
        Assert.Equal(("running", "by hand", null, null), ((string)job["state"]!, (string)job["trigger"]!, job["outcome"], job["progress"]));

        var key = await host.KeyAsync(Role.Viewer);
        Assert.Equal(HttpStatusCode.Forbidden, (await host.SendAsync(HttpMethod.Delete, $"api/training/jobs/{id}", key)).StatusCode);
        Assert.Equal(HttpStatusCode.Forbidden, (await host.SendAsync(HttpMethod.Post, "api/training/jobs", key)).StatusCode);
        key = await host.KeyAsync(Role.Corrector);
        using var cancelled = await host.SendAsync(HttpMethod.Delete, $"api/training/jobs/{id}", key);
        Assert.Equal("cancelled", (string)(await cancelled.Content.ReadFromJsonAsync<JsonNode>(Cancelled))!["state"]!);
        Assert.Equal(HttpStatusCode.Conflict, (await host.SendAsync(HttpMethod.Delete, $"api/training/jobs/{id}", key)).StatusCode);
    }
}
