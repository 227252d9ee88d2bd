using AsrPlatform.Abstractions;
using AsrPlatform.Host.Data;
using AsrPlatform.Host.Learning.Registry;
using static AsrPlatform.Host.Tests.Learning.Registry.AdapterFiles;

namespace AsrPlatform.Host.Tests.Learning.Registry;

public sealed class AdapterRegistryTests : IDisposable
{
    private readonly string _scratch = Directory.CreateTempSubdirectory("asr-registry-").FullName;
    private readonly DataFolder _folder;
    private readonly AdapterRegistry _registry;

    public AdapterRegistryTests()
    {
        _folder = DataFolder.Open(Path.Combine(_scratch, "data"), TimeProvider.System);
        _registry = new AdapterRegistry(_folder);
    }

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _folder.Dispose();
        Directory.Delete(_scratch, recursive: true);
    }

    [Fact]
    public async Task Add_APeftFolder_KeepsItsFilesACardAndNothingElse()
    {
        var card = await _registry.AddAsync(Write(_scratch, "weights"), New(corrections: [3, 1, 3]), Cancelled);
        var folder = await _registry.OpenAsync(card.Id, BaseHash, Cancelled);
        Assert.Equal(["adapter_config.json", "adapter_model.safetensors", "card.json"], Directory.GetFiles(folder).Select(Path.GetFileName).Order());
        Assert.Equal("weights", await File.ReadAllTextAsync(Path.Combine(folder, "adapter_model.safetensors"), Cancelled));
        var stored = _registry.Get(card.Id);
        Assert.Equal(AdapterState.Candidate, stored.State);
        Assert.Equal([1, 3], stored.Card.Corrections);
        Assert.Equal(0.1, stored.Card.Metrics!["heldOutWerAfter"]!.GetValue<double>());
        Assert.Equal(stored.CardText, await File.ReadAllTextAsync(Path.Combine(folder, "card.json"), Cancelled));
        Assert.Null(_registry.ActiveId());
        if (!OperatingSystem.IsWindows())
        {
            Assert.All(Directory.GetFiles(folder), file => Assert.Equal(UnixFileMode.UserRead, File.GetUnixFileMode(file)));
        }
    }

    [Fact]
    public async Task Add_WhatIsNoPeftFolder_IsRefusedAndLeavesNothing()
    {
        var error = await Assert.ThrowsAsync<AsrException>(() => _registry.AddAsync(_scratch, New(), Cancelled));
        Assert.EndsWith("is no PEFT folder: it has no adapter_config.json", error.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetDirectories(Path.Combine(_folder.Directory, "adapters")));
        Assert.Empty(_registry.List());
    }

    [Fact]
    public async Task Add_AChild_KnowsWhatItsParentWasTrainedOn()
    {
        var parent = await AddAsync(_registry, _scratch, "a", New(corrections: [1, 2]));
        var child = await AddAsync(_registry, _scratch, "b", New(parent, corrections: [2, 3]));
        Assert.Equal([1, 2, 3], _registry.CorrectionsOf(child));
        Assert.Equal([parent], AdapterDetails.Of(_registry, child).Lineage);
        var error = await Assert.ThrowsAsync<AsrException>(() => AddAsync(_registry, _scratch, "c", New(parent, baseHash: new string('c', 64))));
        Assert.Contains("was trained on another base model", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Add_TrainedOnACorrectionThatIsGone_IsTaintedFromTheStart()
    {
        // Nothing is stored under these numbers.
        var id = await AddAsync(_registry, _scratch, "a", New(corrections: [7]));
        Assert.Equal("correction 7 has been deleted", _registry.Get(id).Tainted);
        var child = await AddAsync(_registry, _scratch, "b", New(id));
        Assert.NotNull(_registry.Get(child).Tainted);
        var error = await Assert.ThrowsAsync<AsrException>(() => _registry.PromoteAsync(child, AdapterScope.All, "test", cancellationToken: Cancelled));
        Assert.Contains("asr adapters rebuild", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Promote_AndRollBack_GoBackOverWhatWasNotTakenBack()
    {
        var (a, b, c) = (await AddAsync(_registry, _scratch, "a"), await AddAsync(_registry, _scratch, "b"), await AddAsync(_registry, _scratch, "c"));
        var changes = 0;
        _registry.Changed += () => changes++;
        Assert.Null((await Promote(a)).Previous);
        Assert.Equal(a, (await Promote(b, provisional: true)).Previous);
        Assert.Equal(AdapterState.Provisional, _registry.Get(b).State);
        Assert.True(_registry.Active()[AdapterScope.All].Provisional);

        var back = await _registry.RollBackAsync(AdapterScope.All, "worse");
        Assert.Equal((a, b, "worse"), (back!.Adapter, back.Previous, back.Reason));
        Assert.Equal((AdapterState.RolledBack, "worse"), (_registry.Get(b).State, _registry.Get(b).Reason));

        await Promote(c);
        Assert.Equal(a, (await _registry.RollBackAsync(AdapterScope.All, "worse, too"))!.Adapter);
        Assert.Null((await _registry.RollBackAsync(AdapterScope.All, "none of them"))!.Adapter);
        Assert.Null(_registry.ActiveId());
        var error = await Assert.ThrowsAsync<AsrException>(() => _registry.RollBackAsync(AdapterScope.All, "again"));
        Assert.Equal("no adapter is active for all: there is nothing to roll back", error.Message);
        Assert.Equal(6, changes);
        Assert.Equal([a, b, a, c, a, null], _registry.Activations().Select(activation => activation.Adapter));
        Assert.Equal([null, a, b, a, c, a], _registry.Activations().Select(activation => activation.Previous));
    }

    [Fact]
    public async Task RollBack_OfOneThatIsNotActiveAnyMore_ChangesNothing()
    {
        var (a, b) = (await AddAsync(_registry, _scratch, "a"), await AddAsync(_registry, _scratch, "b"));
        await Promote(a);
        await Promote(b);
        Assert.Null(await _registry.RollBackAsync(AdapterScope.All, "late", only: a));
        Assert.Equal(b, _registry.ActiveId());
    }

    [Fact]
    public async Task Promote_InAScope_IsForThatScopeAlone()
    {
        var (a, b) = (await AddAsync(_registry, _scratch, "a"), await AddAsync(_registry, _scratch, "b"));
        await Promote(a);
        await Promote(b, AdapterScope.Tenant("clinic"));
        await Promote(a, AdapterScope.Speaker("anna"));
        Assert.Equal((a, b, a, null), (_registry.ActiveId(), _registry.ActiveId("tenant:clinic"), _registry.ActiveId("speaker:anna"), _registry.ActiveId("tenant:other")));
        var views = AdapterList.Of(_registry);
        Assert.Equal(a, views.Active);
        Assert.Equal(["all", "speaker:anna"], views.Items.Single(view => view.Id == a).ActiveFor);

        // Taken back for one speaker, it stays what it is for the others.
        await _registry.RollBackAsync("speaker:anna", "not for her");
        Assert.Equal(AdapterState.Promoted, _registry.Get(a).State);
        Assert.Equal(["", "tenant:clinic"], _registry.Active().Keys.Order());
    }

    [Theory]
    [InlineData("")]
    [InlineData("all")]
    public void Scope_OfEverybody_HasTwoNames(string scope) => Assert.Equal(AdapterScope.All, AdapterScope.Parse(scope));

    [Theory]
    [InlineData("nobody")]
    [InlineData("tenant:")]
    [InlineData("speaker:a\nb")]
    public void Scope_OfAnotherKind_IsRefused(string scope) => Assert.Throws<AsrException>(() => AdapterScope.Parse(scope));

    [Fact]
    public async Task Promote_OneOfAnotherBase_IsRefused()
    {
        var id = await AddAsync(_registry, _scratch, "a");
        var error = await Assert.ThrowsAsync<AsrException>(() => _registry.PromoteAsync(id, AdapterScope.All, "test", baseHash: new string('c', 64), cancellationToken: Cancelled));
        Assert.StartsWith($"the adapter {id} was trained on another base model (weights bbbbbbbbbbbb…, these are cccccccccccc…)", error.Message, StringComparison.Ordinal);
        Assert.Null(_registry.ActiveId());
    }

    [Theory]
    [InlineData("adapter_model.safetensors", "adapter_model.safetensors is not what it was")]
    [InlineData("adapter_config.json", "adapter_config.json is not what it was")]
    [InlineData("card.json", "its card.json is missing or not what the database has")]
    public async Task Open_OneWhoseFileWasChanged_IsRefused(string file, string reason)
    {
        var id = await AddAsync(_registry, _scratch, "a");
        var path = Path.Combine(_folder.Directory, "adapters", id, file);
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        }

        await File.AppendAllTextAsync(path, " ", Cancelled);
        var error = await Assert.ThrowsAsync<AsrException>(() => _registry.OpenAsync(id, BaseHash, Cancelled));
        Assert.Equal($"the adapter {id} is damaged ({reason}): restore its folder from a copy, or delete it with 'asr adapters delete {id}'", error.Message);
        await Assert.ThrowsAsync<AsrException>(() => Promote(id));
        Assert.Null(_registry.ActiveId());
    }

    [Fact]
    public async Task Open_OneWhoseFolderIsGone_SaysSo_AndItCanBeDeleted()
    {
        var id = await AddAsync(_registry, _scratch, "a");
        Directory.Delete(Path.Combine(_folder.Directory, "adapters", id), recursive: true);
        var error = await Assert.ThrowsAsync<AsrException>(() => _registry.OpenAsync(id, BaseHash, Cancelled));
        Assert.Contains("its folder is missing", error.Message, StringComparison.Ordinal);
        await _registry.DeleteAsync(id, Cancelled);
        Assert.Empty(_registry.List());
    }

    [Fact]
    public async Task Delete_TheActiveOne_IsRefusedWithWhatToDo()
    {
        var id = await AddAsync(_registry, _scratch, "a");
        await Promote(id, "tenant:clinic");
        var error = await Assert.ThrowsAsync<AsrException>(() => _registry.DeleteAsync(id, Cancelled));
        Assert.Equal($"the adapter {id} is active for tenant:clinic: promote another one or 'asr adapters rollback --scope tenant:clinic' first", error.Message);
        await _registry.OpenAsync(id, BaseHash, Cancelled);

        await _registry.RollBackAsync("tenant:clinic", "test");
        await _registry.DeleteAsync(id, Cancelled);
        Assert.False(Directory.Exists(Path.Combine(_folder.Directory, "adapters", id)));
        Assert.Equal($"there is no adapter '{id}': 'asr adapters list' shows them", (await Assert.ThrowsAsync<AsrException>(() => _registry.DeleteAsync(id, Cancelled))).Message);
    }

    [Fact]
    public async Task RollBack_ToOneThatIsDeletedOrTainted_PassesItOver()
    {
        var (a, b, c, d) = (await AddAsync(_registry, _scratch, "a"), await AddAsync(_registry, _scratch, "b"), await AddAsync(_registry, _scratch, "c"), await AddAsync(_registry, _scratch, "d"));
        foreach (var id in new[] { a, b, c, d })
        {
            await Promote(id);
        }

        await _registry.DeleteAsync(c, Cancelled);
        await _folder.Database.WriteAsync(connection => connection.Execute("UPDATE adapter SET tainted = 'a session was deleted' WHERE id = $id", ("$id", b)));
        Assert.Equal(a, (await _registry.RollBackAsync(AdapterScope.All, "test"))!.Adapter);
    }

    [Fact]
    public async Task Recover_WhatAKilledProcessLeft_IsFinishedOrUndone()
    {
        var (kept, gone) = (await AddAsync(_registry, _scratch, "a"), "20200101-00000000");
        var adapters = Path.Combine(_folder.Directory, "adapters");
        Directory.Move(Path.Combine(adapters, kept), Path.Combine(adapters, ".deleted-" + kept));
        Directory.CreateDirectory(Path.Combine(adapters, ".deleted-" + gone));
        var (old, young) = (Directory.CreateDirectory(Path.Combine(adapters, ".new-old")), Directory.CreateDirectory(Path.Combine(adapters, ".new-young")));
        old.LastWriteTimeUtc = DateTime.UtcNow.AddHours(-2);
        await _registry.RecoverAsync(Cancelled);
        await _registry.OpenAsync(kept, BaseHash, Cancelled);
        Assert.Equal([young.Name, kept], Directory.GetDirectories(adapters).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Compare_TwoOfThem_SaysWhatDiffers()
    {
        var a = await AddAsync(_registry, _scratch, "a", New(corrections: [1, 2]));
        var b = await AddAsync(_registry, _scratch, "b", New(a, after: 0.05, corrections: [3]));
        var comparison = AdapterComparison.Of(_registry, a, b);
        Assert.Equal(new ComparedCorrections(Both: 2, OnlyA: 0, OnlyB: 1), comparison.Corrections);
        var after = comparison.Metrics.Single(value => value.Name == "heldOutWerAfter");
        Assert.Equal((0.1, 0.05), (after.A!.GetValue<double>(), after.B!.GetValue<double>()));
        Assert.Contains(comparison.Metrics, value => value.Name == "folds[1]");
        Assert.Empty(comparison.Config);
    }

    [Fact]
    public async Task Processes_Several_SeeWhatTheOthersDo()
    {
        using var folder = DataFolder.OpenBeside(_folder.Directory, TimeProvider.System);
        var other = new AdapterRegistry(folder);
        var a = await AddAsync(other, _scratch, "a");
        await Promote(a);
        Assert.Equal(a, other.ActiveId());
        await other.RollBackAsync(AdapterScope.All, "test");
        Assert.Null(_registry.ActiveId());
    }

    private Task<Activation> Promote(string id, string scope = AdapterScope.All, bool provisional = false) =>
        _registry.PromoteAsync(id, scope, "test", provisional, BaseHash, Cancelled);
}
