using AsrPlatform.Abstractions;
using AsrPlatform.Host.Security;
using AsrPlatform.Tests;
using Microsoft.Extensions.Time.Testing;

namespace AsrPlatform.Host.Tests.Security;

public sealed class ApiKeyStoreTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Create_AKey_IsFoundAndKeptAsAHashAlone()
    {
        var store = Open();
        Assert.False(store.AreRequired);
        var (secret, key) = await store.CreateAsync(Role.Speaker, "studio", null, Cancelled);
        Assert.Matches("^asr_[A-Za-z0-9_-]{43}$", secret);
        Assert.Equal(key, store.Find(secret));
        Assert.True(store.AreRequired);
        Assert.True(store.IsUsable(key.Id));
        var file = await File.ReadAllTextAsync(_folder.File("keys.json"), Cancelled);
        Assert.Contains(key.Sha256, file, StringComparison.Ordinal);
        Assert.DoesNotContain(secret, file, StringComparison.Ordinal);
        Assert.DoesNotContain(secret[ApiKeyStore.Prefix.Length..], file, StringComparison.Ordinal);
        if (!OperatingSystem.IsWindows())
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(_folder.File("keys.json")));
        }
    }

    [Fact]
    public async Task Find_WhatIsNearlyAKey_FindsNothing()
    {
        var store = Open();
        var (secret, key) = await store.CreateAsync(Role.Admin, "admin", null, Cancelled);
        Assert.Null(store.Find(""));
        Assert.Null(store.Find(secret + "x"));
        Assert.Null(store.Find(secret[..^1]));
        Assert.Null(store.Find(secret.ToUpperInvariant()));
        Assert.Null(store.Find(key.Sha256));
        Assert.Null(store.Find(key.Id));
    }

    [Fact]
    public async Task Keys_ThatAnotherProcessChanges_AreSeenAtOnce()
    {
        var running = Open();
        var tool = Open();
        Assert.Empty(running.Keys);
        var (secret, key) = await tool.CreateAsync(Role.Viewer, "wall", null, Cancelled);
        Assert.Equal("active", running.Find(secret)!.StateAt(_time.GetUtcNow()));
        await tool.RevokeAsync("wall", Cancelled);
        Assert.Equal("revoked", running.Find(secret)!.StateAt(_time.GetUtcNow()));
        Assert.False(running.IsUsable(key.Id));

        // One that is revoked still says that this host wants keys.
        Assert.True(running.AreRequired);
        Assert.False(running.AnyUsable);
    }

    [Fact]
    public async Task Key_AfterItsTime_IsExpired()
    {
        var store = Open();
        var (secret, key) = await store.CreateAsync(Role.Viewer, "guest", TimeSpan.FromDays(2), Cancelled);
        _time.Advance(TimeSpan.FromDays(2) - TimeSpan.FromSeconds(1));
        Assert.True(store.IsUsable(key.Id));
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.False(store.IsUsable(key.Id));
        Assert.Equal("expired", store.Find(secret)!.StateAt(_time.GetUtcNow()));
    }

    [Fact]
    public async Task Create_ByManyAtOnce_LosesNone()
    {
        var made = await Task.WhenAll(Enumerable.Range(0, 12).Select(i => Task.Run(() => Open().CreateAsync(Role.Viewer, $"k{i}", null, Cancelled))));
        var store = Open();
        Assert.Equal(12, store.Keys.Count);
        Assert.All(made, one => Assert.Equal(one.Key, store.Find(one.Secret)));
    }

    [Fact]
    public async Task Revoke_ByAnAmbiguousOrUnknownName_SaysSo()
    {
        var store = Open();
        var first = (await store.CreateAsync(Role.Viewer, "wall", null, Cancelled)).Key;
        var second = (await store.CreateAsync(Role.Viewer, "wall", null, Cancelled)).Key;
        var error = await Assert.ThrowsAsync<AsrException>(() => store.RevokeAsync("wall", Cancelled));
        Assert.Equal($"2 keys have the name 'wall': revoke by id, one of {first.Id}, {second.Id}", error.Message);
        Assert.Equal("there is no key 'floor': see 'asr keys list'", (await Assert.ThrowsAsync<AsrException>(() => store.RevokeAsync("floor", Cancelled))).Message);
        await store.RevokeAsync(first.Id, Cancelled);
        Assert.Equal(second.Id, (await store.RevokeAsync("wall", Cancelled)).Id);
    }

    [Theory]
    [InlineData("")]
    [InlineData("nonsense")]
    [InlineData("{}")]
    [InlineData("""{"keys":[{"id":"1","name":"a","role":"owner","sha256":"00","createdAt":"2026-01-01T00:00:00Z"}]}""")]
    [InlineData("""{"keys":[{"id":"1","name":"a","role":"admin","sha256":"00","createdAt":"2026-01-01T00:00:00Z"}]}""")]
    public void Keys_InADamagedFile_AreNoKeysButAnError(string content)
    {
        _folder.Write("keys.json", content);
        var store = Open();
        Assert.Contains("keys.json is damaged", Assert.Throws<AsrException>(() => store.AreRequired).Message, StringComparison.Ordinal);
        Assert.Throws<AsrException>(() => store.AreRequired);
    }

    private ApiKeyStore Open() => new(_folder.Root, _time);
}
