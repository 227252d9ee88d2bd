using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Captions;
using AsrPlatform.Abstractions.Corrections;
using AsrPlatform.Host.Learning.Corrections;
using AsrPlatform.Host.Live;
using AsrPlatform.Host.Live.Client;
using AsrPlatform.Host.Security;
using AsrPlatform.Host.Tests.Live;
using Microsoft.Extensions.DependencyInjection;

namespace AsrPlatform.Host.Tests.Api;

/// <summary><c>/api/corrections</c> over HTTP, and corrections of sessions that run.</summary>
public sealed class CorrectionEndpointsTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Submit_ByHttp_IsWhatTheHubDoes_AndTwiceIsOnce()
    {
        await using var host = await TestHost.StartAsync();
        await SayAsync(host, "talk", new SpokenAudio().Say(1, 2), end: true);
        var correction = new { id = "c1", sessionId = "talk", segmentId = 1, sequence = 1, text = "w1 w3", author = "Ada", speaker = "Grace", domain = "numbers" };
        CaptionUpdate? first = null;
        for (var i = 0; i < 2; i++)
        {
            using var response = await host.Http.PostAsJsonAsync("api/corrections", correction, Cancelled);
            var update = (await response.Content.ReadFromJsonAsync<CaptionUpdate>(Cancelled))!;
            Assert.Equal((CaptionState.Corrected, "w1 w3"), (update.State, update.Text));
            Assert.Equal(first?.Sequence ?? update.Sequence, update.Sequence);
            first = update;
        }

        var list = (await host.Http.GetFromJsonAsync<JsonObject>("api/corrections", Cancelled))!;
        Assert.Null(list["next"]);
        var item = Assert.Single(list["items"]!.AsArray())!.AsObject();
        Assert.Equal(
            ["number", "id", "sessionId", "segmentId", "hypothesis", "text", "author", "speaker", "domain", "language", "adapterVersion", "state", "reason", "diff", "scores", "split", "createdAt", "inTraining", "learnedBy", "clip"],
            item.Select(member => member.Key));
        Assert.Equal(
            ("c1", "talk", 1, "w1 w2", "w1 w3", "Ada", "Grace", "numbers", "en", "base", "stored", false),
            ((string)item["id"]!, (string)item["sessionId"]!, (int)item["segmentId"]!, (string)item["hypothesis"]!, (string)item["text"]!, (string)item["author"]!, (string)item["speaker"]!, (string)item["domain"]!, (string)item["language"]!, (string)item["adapterVersion"]!, (string)item["state"]!, (bool)item["inTraining"]!));
        Assert.Equal("""[{"op":"equal","hypothesis":"w1","text":"w1"},{"op":"replace","hypothesis":"w2","text":"w3"}]""", item["diff"]!.ToJsonString());

        var clip = await host.Http.GetByteArrayAsync(((string)item["clip"]!)[1..], Cancelled);
        var kept = host.App.Services.GetRequiredService<CorrectionStore>().Find((long)item["number"]!)!;
        Assert.Equal(
            new SpokenAudio().Say(1, 2).Samples[(int)kept.StartSample!.Value..(int)kept.EndSample!.Value],
            System.Runtime.InteropServices.MemoryMarshal.Cast<byte, short>(clip.AsSpan(44)).ToArray());
        Assert.Equal(item.ToJsonString(), (await host.Http.GetFromJsonAsync<JsonObject>($"api/corrections/{item["number"]}", Cancelled))!.ToJsonString());
    }

    [Fact]
    public async Task List_InPagesAndByFilter_GivesEachOnceTheNewestFirst()
    {
        await using var host = await TestHost.StartAsync();
        for (var talk = 1; talk <= 3; talk++)
        {
            await SayAsync(host, $"talk-{talk}", new SpokenAudio().Say(talk), end: true);
            await host.Sessions.CorrectAsync(new Correction { Id = "c", SessionId = $"talk-{talk}", SegmentId = 1, Sequence = 1, Text = $"said {talk}", Author = talk == 2 ? "Ada" : null });
        }

        List<string> texts = [];
        var next = "";
        do
        {
            var page = (await host.Http.GetFromJsonAsync<JsonObject>($"api/corrections?limit=2{next}", Cancelled))!;
            texts.AddRange(page["items"]!.AsArray().Select(item => (string)item!["text"]!));
            next = page["next"] is { } after ? $"&after={after}" : null;
        }
        while (next is not null);

        Assert.Equal(["said 3", "said 2", "said 1"], texts);
        Assert.Equal(["said 2"], await TextsAsync("author=Ada"));
        Assert.Equal(["said 1"], await TextsAsync("session=talk-1"));
        Assert.Equal(3, (await TextsAsync("state=stored")).Length);
        Assert.Empty(await TextsAsync("state=held"));
        foreach (var wrong in new[] { "limit=0", "limit=1001", "state=odd", "after=x" })
        {
            using var refused = await host.SendAsync(HttpMethod.Get, $"api/corrections?{wrong}");
            Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
            Assert.Equal("application/problem+json", refused.Content.Headers.ContentType!.MediaType);
        }

        async Task<string[]> TextsAsync(string query) =>
            [.. (await host.Http.GetFromJsonAsync<JsonObject>($"api/corrections?{query}", Cancelled))!["items"]!.AsArray().Select(item => (string)item!["text"]!)];
    }

    [Fact]
    public async Task Delete_InARunningSession_ShowsViewersTheTextBefore()
    {
        await using var host = await TestHost.StartAsync();
        await SayAsync(host, "talk", new SpokenAudio().Say(1, 2).Silence(1.5), end: false);
        await LiveHarness.EventuallyAsync(() => host.Sessions.Get("talk").Captions is [{ State: CaptionState.Committed }, ..], "a committed caption");
        var committed = host.Sessions.Get("talk").Captions[0];
        var corrected = await host.Sessions.CorrectAsync(new Correction { Id = "c1", SessionId = "talk", SegmentId = 1, Sequence = 1, Text = "secretword" });
        await using var viewer = host.Sessions.WatchAsync("talk", corrected.Sequence, Cancelled).GetAsyncEnumerator(Cancelled);
        var number = Assert.Single(host.App.Services.GetRequiredService<CorrectionStore>().List(default, null, 10)).Number;

        using (var deleted = await host.SendAsync(HttpMethod.Delete, $"api/corrections/{number}"))
        {
            Assert.Equal(HttpStatusCode.NoContent, deleted.StatusCode);
        }

        Assert.True(await viewer.MoveNextAsync());
        Assert.Equal((1L, corrected.Revision + 1, CaptionState.Corrected, committed.Text), (viewer.Current.SegmentId, viewer.Current.Revision, viewer.Current.State, viewer.Current.Text));
        Assert.Equal(committed.Words, viewer.Current.Words);
        await host.Sessions.EndAsync("talk", Cancelled);

        // Neither who resumes from before it nor who comes later sees it again.
        foreach (var after in new[] { 0, corrected.Sequence - 1 })
        {
            await foreach (var update in host.Sessions.WatchAsync("talk", after, Cancelled))
            {
                Assert.NotEqual("secretword", update.Text);
            }
        }

        using var again = await host.SendAsync(HttpMethod.Delete, $"api/corrections/{number}");
        Assert.Equal(HttpStatusCode.NotFound, again.StatusCode);
    }

    [Fact]
    public async Task Delete_AnAuthors_DeletesThoseAlone()
    {
        await using var host = await TestHost.StartAsync();
        await SayAsync(host, "talk", new SpokenAudio().Say(1).Silence(2).Say(2), end: true);
        await SayAsync(host, "more", new SpokenAudio().Say(3), end: true);
        await host.Sessions.CorrectAsync(new Correction { Id = "c1", SessionId = "talk", SegmentId = 1, Sequence = 1, Text = "one", Author = "Ada" });
        await host.Sessions.CorrectAsync(new Correction { Id = "c2", SessionId = "more", SegmentId = 1, Sequence = 1, Text = "three", Author = "Bob" });
        using (var unnamed = await host.SendAsync(HttpMethod.Delete, "api/corrections"))
        {
            Assert.Equal(HttpStatusCode.BadRequest, unnamed.StatusCode);
        }

        using (var deleted = await host.SendAsync(HttpMethod.Delete, "api/corrections?author=Ada"))
        {
            Assert.Equal("""{"deleted":1}""", await deleted.Content.ReadAsStringAsync(Cancelled));
        }

        Assert.Equal("three", Assert.Single(host.App.Services.GetRequiredService<CorrectionStore>().List(default, null, 10)).Text);
        Assert.StartsWith("w1", await host.Http.GetStringAsync("api/sessions/talk/captions.txt", Cancelled), StringComparison.Ordinal);
        Assert.Equal("three\n", await host.Http.GetStringAsync("api/sessions/more/captions.txt", Cancelled));
    }

    [Fact]
    public async Task Review_ByRole_ReleasesAndRefuses()
    {
        await using var host = await TestHost.StartAsync();
        await SayAsync(host, "talk", new SpokenAudio().Say(1), end: true);
        await host.Sessions.CorrectAsync(new Correction { Id = "c1", SessionId = "talk", SegmentId = 1, Sequence = 1, Text = "one" });
        var number = Assert.Single(host.App.Services.GetRequiredService<CorrectionStore>().List(default, null, 10)).Number;
        var (viewer, corrector, admin) = (await host.KeyAsync(Role.Viewer), await host.KeyAsync(Role.Corrector), await host.KeyAsync(Role.Admin));
        foreach (var path in new[] { "api/corrections", $"api/corrections/{number}", $"api/corrections/{number}/audio" })
        {
            Assert.Equal(HttpStatusCode.Forbidden, (await host.SendAsync(HttpMethod.Get, path, viewer)).StatusCode);
            Assert.Equal(HttpStatusCode.OK, (await host.SendAsync(HttpMethod.Get, path, corrector)).StatusCode);
        }

        foreach (var (verb, state) in new[] { ("refuse", "refused"), ("release", "ready") })
        {
            Assert.Equal(HttpStatusCode.Forbidden, (await host.SendAsync(HttpMethod.Post, $"api/corrections/{number}/{verb}", corrector)).StatusCode);
            using var reviewed = await host.SendAsync(HttpMethod.Post, $"api/corrections/{number}/{verb}", admin);
            Assert.Equal(state, (string)(await reviewed.Content.ReadFromJsonAsync<JsonNode>(Cancelled))!["state"]!);
            Assert.Equal(HttpStatusCode.NotFound, (await host.SendAsync(HttpMethod.Post, $"api/corrections/999/{verb}", admin)).StatusCode);
        }

        Assert.Equal(HttpStatusCode.Forbidden, (await host.SendAsync(HttpMethod.Delete, $"api/corrections/{number}", corrector)).StatusCode);
    }

    [Fact]
    public async Task Submit_TooOften_IsRefusedByAuthorAndByCaller()
    {
        await using var host = await TestHost.StartAsync(("Corrections:PerAuthorPerMinute", "2"));
        await SayAsync(host, "talk", new SpokenAudio().Say(1), end: true);
        await using var one = await host.ConnectAsync(await host.KeyAsync(Role.Corrector, "one"));
        await using var two = await host.ConnectAsync(await host.KeyAsync(Role.Corrector, "two"));
        await SubmitAsync(one, "c1", "Ada");
        await SubmitAsync(two, "c2", "Ada");
        const string Refusal = "more than 2 corrections of one author in a minute, the most that Corrections:PerAuthorPerMinute allows: try again later";
        Assert.Equal(Refusal, (await Assert.ThrowsAsync<AsrException>(() => SubmitAsync(two, "c3", "Ada"))).Message);
        await SubmitAsync(one, "c4", "Bob");
        Assert.Equal(Refusal, (await Assert.ThrowsAsync<AsrException>(() => SubmitAsync(one, "c5", "Cid"))).Message);

        using var http = new HttpRequestMessage(HttpMethod.Post, "api/corrections") { Content = JsonContent.Create(new { id = "c6", sessionId = "talk", segmentId = 1, sequence = 1, text = "x" }) };
        http.Headers.Authorization = new("Bearer", await host.KeyAsync(Role.Corrector, "three"));
        using var allowed = await host.Http.SendAsync(http, Cancelled);
        Assert.Equal(HttpStatusCode.OK, allowed.StatusCode);

        static Task SubmitAsync(LiveClient client, string id, string author) =>
            client.SubmitCorrectionAsync(new Correction { Id = id, SessionId = "talk", SegmentId = 1, Sequence = 1, Text = id, Author = author }, Cancelled);
    }

    [Theory]
    [InlineData("{}", HttpStatusCode.BadRequest)]
    [InlineData("nonsense", HttpStatusCode.BadRequest)]
    [InlineData("""{"id":"c","sessionId":"nobody","segmentId":1,"sequence":1,"text":"x"}""", HttpStatusCode.BadRequest)]
    [InlineData("""{"id":"","sessionId":"nobody","segmentId":1,"sequence":1,"text":"x"}""", HttpStatusCode.BadRequest)]
    public async Task Submit_WhatIsNone_IsRefusedWithTheReason(string body, HttpStatusCode status)
    {
        await using var host = await TestHost.StartAsync();
        using var response = await host.Http.PostAsync("api/corrections", new StringContent(body, System.Text.Encoding.UTF8, "application/json"), Cancelled);
        Assert.Equal(status, response.StatusCode);
        Assert.NotEqual("", (string)(await response.Content.ReadFromJsonAsync<JsonNode>(Cancelled))!["detail"]!);
    }

    private static async Task SayAsync(TestHost host, string id, SpokenAudio audio, bool end)
    {
        await host.Sessions.StartSessionAsync(new StartSessionRequest { SessionId = id }, Cancelled);
        await LiveHarness.SendAsync(host.Sessions.Get(id), audio);
        if (end)
        {
            await host.Sessions.EndAsync(id, Cancelled);
        }
    }
}
