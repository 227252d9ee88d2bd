using System.Reflection;
using System.Runtime.Loader;

namespace AsrPlatform.Host.Plugins;

/// <summary>The assemblies of one plugin: the shared ones first, then those of its own folder, then the runtime's.</summary>
/// <remarks>Never unloaded: assemblies are swapped by a restart, weights by the models themselves.</remarks>
internal sealed class PluginLoadContext : AssemblyLoadContext
{
    private readonly AssemblyDependencyResolver _resolver;
    private readonly string _directory;
    private readonly SharedAssemblies _shared;

    /// <summary>Creates the context of one plugin.</summary>
    /// <param name="id">The plugin's id, for stack traces and dumps.</param>
    /// <param name="assemblyPath">Its main assembly, a canonical path.</param>
    /// <param name="shared">What it shares with the host.</param>
    public PluginLoadContext(string id, string assemblyPath, SharedAssemblies shared)
        : base(id, isCollectible: false)
    {
        _resolver = new AssemblyDependencyResolver(assemblyPath);
        _directory = Path.GetDirectoryName(assemblyPath)!;
        _shared = shared;
    }

    /// <inheritdoc />
    protected override Assembly? Load(AssemblyName assemblyName) =>
        _shared.Resolve(assemblyName)
        ?? (_resolver.ResolveAssemblyToPath(assemblyName) is { } path ? LoadFromAssemblyPath(RequireInside(path)) : null)
        ?? _shared.ResolveBesideBindings(assemblyName);

    /// <inheritdoc />
    protected override nint LoadUnmanagedDll(string unmanagedDllName)
    {
        var path = _resolver.ResolveUnmanagedDllToPath(unmanagedDllName) ?? NativeLibraries.Find(unmanagedDllName, _directory);
        return path is null ? 0 : LoadUnmanagedDllFromPath(RequireInside(path));
    }

    private string RequireInside(string path)
    {
        var canonical = CanonicalPath.Of(path);
        return CanonicalPath.IsInside(canonical, _directory)
            ? canonical
            : throw new FileLoadException($"{Path.GetFileName(path)} lies outside the plugin's folder, at {canonical}");
    }
}
