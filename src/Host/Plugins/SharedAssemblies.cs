using System.Collections.Concurrent;
using System.Reflection;
using System.Runtime.Loader;

namespace AsrPlatform.Host.Plugins;

/// <summary>The assemblies that host and plugins must have in common, so that a type is one type for all of them.</summary>
/// <remarks>
/// <para>
/// First the host's: Abstractions, Whisper, Onnx, Microsoft.Extensions.* and System.Numerics.Tensors. Then the bindings in <c>shared/</c>
/// (a <c>X.dll</c> with its <c>X.deps.json</c>), which the host does not refer to: each is loaded once for the whole process, into one
/// context that is never unloaded, because native libraries do not survive a second copy. What the bindings themselves need lies
/// beside them; a plugin that brings its own version of such an assembly keeps it.
/// </para>
/// <para>Safe for concurrent calls.</para>
/// </remarks>
internal sealed class SharedAssemblies
{
    private static readonly string[] Contracts = ["AsrPlatform.Abstractions", "AsrPlatform.Whisper", "AsrPlatform.Onnx"];

    private static readonly ConcurrentDictionary<string, SharedAssemblies> ByDirectory = new(StringComparer.Ordinal);

    private readonly SharedLoadContext _context;

    private SharedAssemblies(string directory)
    {
        Directory = directory;
        _context = new SharedLoadContext(directory);
    }

    /// <summary>The canonical path of the shared folder.</summary>
    public string Directory { get; }

    /// <summary>The one instance of this process for a folder.</summary>
    public static SharedAssemblies In(string directory) =>
        ByDirectory.GetOrAdd(CanonicalPath.Of(directory), path => new SharedAssemblies(path));

    /// <summary>The assembly that wins over a plugin's own copy, or null.</summary>
    /// <exception cref="FileLoadException">The host's copy is older than the plugin needs.</exception>
    public Assembly? Resolve(AssemblyName name)
    {
        var simpleName = name.Name!;
        if (Contracts.Contains(simpleName))
        {
            // The contract version in the manifest decides what fits, not the assembly's version.
            return AssemblyLoadContext.Default.LoadFromAssemblyName(new AssemblyName(simpleName));
        }

        if (simpleName.StartsWith("Microsoft.Extensions.", StringComparison.Ordinal))
        {
            var assembly = FromHost(simpleName);
            return assembly is null || assembly.GetName().Version >= name.Version
                ? assembly
                : throw new FileLoadException($"it needs {simpleName} {name.Version}, this host has {assembly.GetName().Version}");
        }

        if (simpleName == "System.Numerics.Tensors")
        {
            // No contract speaks of its types, so a plugin that needs a newer one may have it.
            return FromHost(simpleName) is { } assembly && assembly.GetName().Version >= name.Version ? assembly : null;
        }

        return _context.IsBinding(simpleName) ? _context.Shared(simpleName) : null;
    }

    /// <summary>An assembly that lies beside the bindings, for a plugin that brings none of that name; or null.</summary>
    public Assembly? ResolveBesideBindings(AssemblyName name) => _context.Has(name.Name!) ? _context.Shared(name.Name!) : null;

    private static Assembly? FromHost(string simpleName)
    {
        try
        {
            return AssemblyLoadContext.Default.LoadFromAssemblyName(new AssemblyName(simpleName));
        }
        catch (FileNotFoundException)
        {
            return null;
        }
    }

    private sealed class SharedLoadContext(string directory) : AssemblyLoadContext("shared", isCollectible: false)
    {
        private readonly ConcurrentDictionary<string, Lazy<Assembly>> _assemblies = new(StringComparer.OrdinalIgnoreCase);

        public bool IsBinding(string simpleName) => Has(simpleName) && File.Exists(Path.Combine(directory, simpleName + ".deps.json"));

        public bool Has(string simpleName) => File.Exists(Path.Combine(directory, simpleName + ".dll"));

        /// <summary>The one copy: the host's where the program refers to it (as tests do), else the folder's.</summary>
        public Assembly Shared(string simpleName) =>
            _assemblies.GetOrAdd(
                simpleName,
                name => new Lazy<Assembly>(() => FromHost(name) ?? LoadFromAssemblyPath(Path.Combine(directory, name + ".dll")))).Value;

        protected override Assembly? Load(AssemblyName assemblyName) =>
            Has(assemblyName.Name!) ? Shared(assemblyName.Name!) : null;

        /// <summary>Serves bindings that do not resolve their native library themselves.</summary>
        protected override nint LoadUnmanagedDll(string unmanagedDllName) =>
            NativeLibraries.Find(unmanagedDllName, directory) is { } path ? LoadUnmanagedDllFromPath(path) : 0;
    }
}
